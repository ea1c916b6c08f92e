/**
 * A scheduler for replicas that batch statically: plans over all that waits whenever a replica is idle, and hands out its batch one by
 * one. What is handed out is what `static-batches.ts` puts first.
 *
 * A plan may put off what can only come late for as long as others come. Against that, every second batch is of those that have waited
 * `AGEING_FACTOR` times as long as their policy allows, oldest first, while there are any.
 */
import { paddedStepTime } from '../domain/step-time.ts';
import { AGEING_FACTOR } from './admission.ts';
import { explain } from './explain.ts';
import { larger, logLengthOf } from './longest-answer.ts';
import { byArrival, byPriority } from './order.ts';
import { PassingSet } from './passing-map.ts';
import { fitsMemory, kvTokensOf, largestKvCacheTokens } from './room.ts';
import { type BatchPlanOptions, type PlannedReplica, planBatches } from './static-batches.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler, SchedulerPolicy } from './types.ts';

/** Longer queues are planned in part: a plan takes longer by the square of its requests. */
const MOST_PLANNED = 300;
/** A context that replicas' steps are compared by. */
const COMPARED_CONTEXT_TOKENS = 1000;

export function batchesStatically({ batching }: ReplicaView): boolean {
  return batching === 'static';
}

export function createStaticBatchScheduler<R extends QueuedRequest, V extends ReplicaView>(): Scheduler<R, V> {
  return new StaticBatchScheduler<R, V>();
}

/** For benchmarks, which schedule static batches only. */
export const uellmStatic: SchedulerPolicy = {
  name: 'uellm',
  summary: 'plans over all that wait: fewest expected misses, then least time',
  createScheduler: () => createStaticBatchScheduler(),
};

class StaticBatchScheduler<R extends QueuedRequest, V extends ReplicaView> implements Scheduler<R, V> {
  readonly #waiting = new PassingSet<R>();
  /** What is planned for idle replicas and not yet asked for. */
  readonly #handedOut = new Map<V, R[]>();
  #plan: R[][] = [];
  readonly #startedMs = new WeakMap<V, number>();
  #agedTurn = false;

  get size(): number {
    let size = this.#waiting.size;
    for (const batch of this.#handedOut.values()) size += batch.length;
    return size;
  }

  enqueue(request: R): void {
    this.#waiting.add(request);
  }

  cancel(request: R): boolean {
    if (this.#waiting.delete(request)) return true;
    for (const [replica, batch] of this.#handedOut) {
      const place = batch.indexOf(request);
      if (place < 0) continue;
      batch.splice(place, 1);
      if (batch.length === 0) this.#handedOut.delete(replica);
      return true;
    }
    return false;
  }

  next(replicas: readonly V[], nowMs: number): Assignment<R, V> | null {
    this.#takeBack(replicas);
    let ready = replicas.find((replica) => this.#handedOut.has(replica));
    if (!ready) {
      const idle = replicas.filter((replica) => replica.accepting && replica.load.inFlight === 0);
      if (idle.length === 0 || this.#waiting.size === 0) return null;
      this.#fill(idle, replicas, nowMs);
      ready = replicas.find((replica) => this.#handedOut.has(replica));
      if (!ready) return null;
    }
    const batch = this.#handedOut.get(ready)!;
    const request = batch.shift()!;
    if (batch.length === 0) this.#handedOut.delete(ready);
    this.#startedMs.set(ready, nowMs);
    const because = () => `planned with ${batch.length} more, due in ${Math.round(request.deadlines.endMs - nowMs)} ms`;
    const chosen = ready;
    return {
      request,
      replica: chosen,
      explanation: request.explain ? explain('uellm', because(), request, chosen, replicas, nowMs, verdict) : null,
    };
  }

  /** Batches of replicas that are no longer there, or are at work, go back to the queue. */
  #takeBack(replicas: readonly V[]): void {
    for (const [replica, batch] of this.#handedOut) {
      if (replica.accepting && replica.load.inFlight + batch.length <= replica.maxInFlight && replicas.includes(replica)) continue;
      this.#handedOut.delete(replica);
      for (const request of batch) this.#waiting.add(request);
    }
  }

  #fill(idle: V[], replicas: readonly V[], nowMs: number): void {
    const largestTokens = largestKvCacheTokens(replicas);
    if (this.#agedTurn) {
      this.#agedTurn = false;
      if (this.#fillWithAged(idle[0]!, largestTokens, nowMs)) return;
    }
    const plannable = this.#firstOf((request) => idle.some((replica) => fitsMemory(replica, request, 0, largestTokens)), nowMs);
    if (plannable.length === 0) return;
    // Idle ones first: the plan's first batches are theirs.
    const ordered = [...idle, ...replicas.filter((replica) => !idle.includes(replica))];
    this.#plan = planBatches(plannable, { ...this.#optionsFor(ordered, nowMs), previous: this.#plan });
    let free = idle;
    for (const batch of this.#plan.slice(0, idle.length)) {
      const able = free.filter((replica) => batch.every((request) => fitsMemory(replica, request, 0, largestTokens)));
      const replica = able.find(({ id }) => !batch.every((request) => request.avoid.has(id))) ?? able[0];
      if (!replica) continue;
      this.#handOut(replica, batch.slice(0, replica.maxInFlight));
      free = free.filter((other) => other !== replica);
    }
    this.#plan = this.#plan.slice(idle.length);
    this.#agedTurn = true;
  }

  /** Those to plan for: not more than a plan can be made for in time, most urgent first, and what is late already behind. */
  #firstOf(fits: (request: R) => boolean, nowMs: number): R[] {
    const plannable = [...this.#waiting].filter(fits);
    if (plannable.length <= MOST_PLANNED) return plannable;
    const isLate = (request: R) => (request.deadlines.endMs < nowMs ? 1 : 0);
    const byUrgency = byPriority((request) => request.deadlines.endMs);
    return plannable.sort((a, b) => isLate(a) - isLate(b) || byUrgency(a, b)).slice(0, MOST_PLANNED);
  }

  #fillWithAged(replica: V, largestTokens: number, nowMs: number): boolean {
    const isAged = (request: R) => nowMs - request.arrivalMs > AGEING_FACTOR * request.queue.maxWaitMs;
    const aged = [...this.#waiting].filter((request) => isAged(request) && fitsMemory(replica, request, 0, largestTokens));
    const batch: R[] = [];
    let paddedTokens = 0;
    for (const request of aged.sort(byArrival)) {
      paddedTokens = Math.max(paddedTokens, kvTokensOf(request));
      if (batch.length > 0 && (batch.length + 1) * paddedTokens > replica.kvCacheTokens) break;
      if (batch.length === replica.maxInFlight) break;
      batch.push(request);
    }
    if (batch.length > 0) this.#handOut(replica, batch);
    return batch.length > 0;
  }

  #handOut(replica: V, batch: R[]): void {
    for (const request of batch) this.#waiting.delete(request);
    this.#handedOut.set(replica, [...batch]);
  }

  #optionsFor(replicas: readonly V[], nowMs: number): BatchPlanOptions {
    const reference = replicas[0]!;
    const stepTime = paddedStepTime(reference.stepTime);
    const maxBatch = Math.min(...replicas.map((replica) => replica.maxInFlight));
    const compared = (replica: V) => paddedStepTime(replica.stepTime).decodeMs(maxBatch, COMPARED_CONTEXT_TOKENS);
    return {
      replicas: replicas.map((replica) => ({ ...this.#freeAt(replica, nowMs), slowness: compared(replica) / compared(reference) })),
      maxBatch,
      kvCacheTokens: Math.min(...replicas.map((replica) => replica.kvCacheTokens)),
      stepTime,
      nowMs,
    };
  }

  /** When the batch under way ends: as predicted, or as long again as a tenth of what it has taken where that has passed. */
  #freeAt(replica: V, nowMs: number): Omit<PlannedReplica, 'slowness'> {
    const { running, inFlight } = replica.load;
    if (inFlight === 0) return { freeAtMs: nowMs, freeDeviationMs: 0 };
    const startedMs = this.#startedMs.get(replica) ?? nowMs;
    const longest = { mean: Number.NEGATIVE_INFINITY, variance: 0 };
    let inputTokens = 1;
    for (const request of running) {
      inputTokens = Math.max(inputTokens, request.inputTokens);
      const length = logLengthOf(request.predictedOutput);
      if (longest.mean === Number.NEGATIVE_INFINITY) Object.assign(longest, length);
      else larger(longest, length, longest);
    }
    const tokens = Math.exp(longest.mean + longest.variance / 2);
    const { prefillMs, decodeMs } = paddedStepTime(replica.stepTime);
    const stepsMs = tokens * decodeMs(inFlight, inputTokens + tokens / 2);
    const endMs = startedMs + prefillMs(inFlight, inputTokens) + stepsMs;
    return {
      freeAtMs: Math.max(endMs, nowMs + (nowMs - startedMs) / 10),
      freeDeviationMs: stepsMs * Math.sqrt(Math.exp(longest.variance) - 1),
    };
  }
}

function verdict(replica: ReplicaView): string {
  return replica.accepting && replica.load.inFlight === 0 ? 'another batch' : 'at work';
}
