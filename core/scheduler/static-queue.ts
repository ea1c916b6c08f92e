/**
 * The rule that queue policies share on replicas that batch statically: one batch is filled at a time, in the queue's order, and is closed
 * by the first request that it does not admit. A closed batch takes no later request, though a smaller one would fit: batches are
 * consecutive in the order, as in the paper, since the order is what keeps deadlines; who is passed over would wait a whole batch more.
 * A policy that packs may say otherwise.
 */
import { explain } from './explain.ts';
import type { Order } from './order.ts';
import { canBeAvoided, fitsMemory, largestKvCacheTokens } from './room.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler } from './types.ts';

export interface StaticRule {
  policy: string;
  order: Order;
  /** May this request join what is collected for that replica, which is at least one? */
  admits: (replica: ReplicaView, request: QueuedRequest) => boolean;
  /** Whether requests behind one that is not admitted may still join: packing, instead of keeping the order. */
  packs: boolean;
  because: (request: QueuedRequest) => string;
}

export function createStaticQueue<R extends QueuedRequest, V extends ReplicaView>(rule: StaticRule): Scheduler<R, V> {
  return new StaticQueue<R, V>(rule);
}

class StaticQueue<R extends QueuedRequest, V extends ReplicaView> implements Scheduler<R, V> {
  readonly #rule: StaticRule;
  /** In order. */
  readonly #waiting: R[] = [];
  /** Requests ever sent to each replica when its batch was closed: more of them, and it is another batch. */
  readonly #closedAt = new WeakMap<V, number>();

  constructor(rule: StaticRule) {
    this.#rule = rule;
  }

  get size(): number {
    return this.#waiting.length;
  }

  enqueue(request: R): void {
    this.#waiting.splice(this.#placeOf(request), 0, request);
  }

  cancel(request: R): boolean {
    const place = this.#placeOf(request);
    if (this.#waiting[place] !== request) return false;
    this.#waiting.splice(place, 1);
    return true;
  }

  next(replicas: readonly V[], nowMs: number): Assignment<R, V> | null {
    if (this.#waiting.length === 0) return null;
    const largestTokens = largestKvCacheTokens(replicas);
    for (const replica of inTurn(replicas)) {
      if (replica.load.inFlight > 0 && this.#closedAt.get(replica) === replica.load.started) continue;
      const place = this.#firstFor(replica, largestTokens, replicas);
      if (place >= 0) return this.#assign(place, replica, replicas, nowMs);
      this.#closedAt.set(replica, replica.load.started);
    }
    return null;
  }

  #firstFor(replica: V, largestTokens: number, replicas: readonly V[]): number {
    for (let place = 0; place < this.#waiting.length; place++) {
      const request = this.#waiting[place]!;
      // Nobody waits for a batch that it can never be in.
      if (!fitsMemory(replica, request, 0, largestTokens)) continue;
      if (request.avoid.has(replica.id) && canBeAvoided(replicas, request, largestTokens)) continue;
      if (replica.load.inFlight === 0 || this.#rule.admits(replica, request)) return place;
      if (!this.#rule.packs) return -1;
    }
    return -1;
  }

  #assign(place: number, replica: V, replicas: readonly V[], nowMs: number): Assignment<R, V> {
    const [request] = this.#waiting.splice(place, 1) as [R];
    const { policy, because } = this.#rule;
    return {
      request,
      replica,
      explanation: request.explain
        ? explain(policy, because(request), request, replica, replicas, nowMs, (other) => (other.accepting ? 'another batch' : 'at work'))
        : null,
    };
  }

  /** Where it is, or belongs. */
  #placeOf(request: R): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rule.order(this.#waiting[middle]!, request) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Those with a place: the one whose batch is begun, then idle ones, the quicker engine first. */
function inTurn<V extends ReplicaView>(replicas: readonly V[]): V[] {
  return replicas
    .filter((replica) => replica.accepting && replica.load.inFlight < replica.maxInFlight)
    .sort(
      (a, b) => Math.sign(b.load.inFlight) - Math.sign(a.load.inFlight) || a.stepTime.d0 - b.stepTime.d0 || a.load.started - b.load.started,
    );
}

/** KV cache tokens of a batch with one request more, padded to its longest prompt and its longest predicted answer. */
export function paddedKvTokens({ load }: ReplicaView, candidate: QueuedRequest): number {
  let { inputTokens } = candidate;
  let outputTokens = candidate.predictedOutput.p50;
  for (const request of load.running) {
    inputTokens = Math.max(inputTokens, request.inputTokens);
    outputTokens = Math.max(outputTokens, request.predictedOutput.p50);
  }
  return (load.inFlight + 1) * (inputTokens + outputTokens);
}
