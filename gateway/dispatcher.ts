/**
 * Where requests wait, and where they are released: one queue a deployment. Between choosing a replica and opening the request on it there
 * is no await, so that a new routing table never finds a request on its way to a replica that it has not.
 *
 * A queue is pumped when a request comes, when something that it waits for has changed (`wake`), and every 25 ms while something waits,
 * since a policy may hold a request back for a time.
 *
 * A deployment in shadow mode is served as operators do without uellm: in the order of arrival, to the replica with the fewest open requests,
 * with nobody shed or put behind. Which policy a queue has is settled when a routing table comes.
 *
 * A policy that throws costs nobody a request: what waits goes by `FALLBACK` until the queue is empty, and then the policy begins anew.
 */
import { admission, admissionInTurn, standing } from '../core/scheduler/admission.ts';
import { PassingSet } from '../core/scheduler/passing-map.ts';
import { leastInFlight } from '../core/scheduler/policies/least-in-flight.ts';
import { withRevisionShares } from '../core/scheduler/revisions.ts';
import { kvTokensOf } from '../core/scheduler/room.ts';
import type { Demand } from '../core/scheduler/shares.ts';
import type { Assignment, QueuedRequest, Scheduler, SchedulerPolicy } from '../core/scheduler/types.ts';
import type { ApiError } from './errors.ts';
import { noReplica, queueFull, shed } from './errors.ts';
import type { Fleet } from './fleet.ts';
import type { LiveReplica } from './replica.ts';

/** A request as it waits here. Exactly one of `release` and `refuse` is called for each time it is queued, unless it is cancelled. */
export interface Waiting extends QueuedRequest {
  deployment: string;
  /** Other deployments that may serve it too: where it was asked for by its model's name. */
  readonly alternatives: readonly string[];
  /** Opens it on the replica before it returns. */
  release(assignment: Assignment<Waiting, LiveReplica>): void;
  refuse(error: ApiError, outcome: 'shed' | 'failed'): void;
}

export interface DispatcherOptions {
  policy: SchedulerPolicy;
  maxQueued: number;
  /** Told how long each decision of the policy took. */
  onScheduled: (ms: number) => void;
  /** Told that the policy threw, and the fallback has its queue. */
  onPolicyFailed: (deployment: string, error: unknown) => void;
}

interface Queue {
  /** All that wait, in the order in which they came: for admission, and for those who have waited too long. */
  readonly waiting: PassingSet<Waiting>;
  /** The same, in the policy's order, or in that of the fallback. */
  scheduler: Scheduler<Waiting, LiveReplica>;
  /** Its deployment is in shadow mode. */
  shadowed: boolean;
  fellBack: boolean;
  /** Is pumped when this turn of the event loop has heard all there is to hear. */
  woken: boolean;
  pumping: boolean;
  again: boolean;
}

/** Look at nothing but places and open requests. */
const FALLBACK = leastInFlight;
const SHADOWED = leastInFlight;
const MAX_RETRY_AFTER_SECONDS = 60;
const TICK_MS = 25;

export class Dispatcher {
  readonly #queues = new Map<string, Queue>();
  #shadowed: ReadonlySet<string> = new Set();
  readonly #fleet: Fleet;
  readonly #options: DispatcherOptions;
  #ticker: NodeJS.Timeout | undefined;

  constructor(fleet: Fleet, options: DispatcherOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  /** Name of the policy by which it releases requests of a deployment. */
  policyOf(deployment: string): string {
    return this.#policy(this.#shadowed.has(deployment)).name;
  }

  /** A routing table has come. What waits for a deployment that is shadowed now, or no longer, goes by the other policy from here on. */
  shadow(deployments: ReadonlySet<string>): void {
    this.#shadowed = deployments;
    for (const [deployment, queue] of this.#queues) {
      const shadowed = deployments.has(deployment);
      if (queue.shadowed === shadowed) continue;
      Object.assign(queue, { shadowed, scheduler: newScheduler(this.#policy(shadowed)), fellBack: false });
      // Where that throws, the fallback has them all already.
      this.#ask(queue, deployment, (scheduler) => {
        if (scheduler.size === 0) for (const request of queue.waiting) scheduler.enqueue(request);
      });
      this.wake(deployment);
    }
  }

  /** Queues a request that has just come, or refuses it at once. */
  enqueue(request: Waiting): void {
    request.deployment = this.#leastLoaded(request);
    const queue = this.#queue(request.deployment);
    const { waiting } = queue;
    const { maxQueued } = this.#options;
    const verdict = queue.shadowed ? admissionInTurn(waiting, maxQueued) : admission(waiting, request, maxQueued);
    if (verdict.verdict === 'full') {
      request.refuse(queueFull(request.deployment, waiting.size, this.#retryAfterSeconds(waiting)), 'shed');
      return;
    }
    if (verdict.instead) {
      this.#takeOut(queue, verdict.instead);
      verdict.instead.refuse(shed(request.deployment, 'displaced', this.#retryAfterSeconds(waiting)), 'shed');
    }
    this.#putIn(queue, request);
  }

  /** Queues a request again that a replica has failed: it was admitted once and keeps its arrival. */
  requeue(request: Waiting): void {
    this.#putIn(this.#queue(request.deployment), request);
  }

  /** The client is gone. */
  cancel(request: Waiting): void {
    const queue = this.#queues.get(request.deployment);
    if (queue) this.#takeOut(queue, request);
  }

  /**
   * Something has changed that may let requests go: a request ended or has its first token, replicas or their gauges are new. What changes
   * together, as many sockets are read in one turn of the event loop, is looked at together, at the end of that turn.
   */
  wake(deployment: string): void {
    const queue = this.#queues.get(deployment);
    if (!queue || queue.woken || queue.waiting.size === 0) return;
    queue.woken = true;
    setImmediate(() => {
      queue.woken = false;
      this.#pump(deployment, queue);
    });
  }

  /** Looks after those who have waited too long. Called a few times a second. */
  sweep(nowMs: number): void {
    for (const [deployment, queue] of this.#queues) {
      const { waiting } = queue;
      const hasReplica = this.#fleet.eligible(deployment).length > 0;
      for (const request of [...waiting]) {
        // Whoever was refused before it may have made room for it.
        if (!waiting.has(request)) continue;
        const refuge = hasReplica ? undefined : request.alternatives.find((d) => this.#fleet.eligible(d).length > 0);
        if (refuge) {
          this.#takeOut(queue, request);
          request.deployment = refuge;
          this.requeue(request);
          continue;
        }
        const state = standing(request, nowMs, hasReplica);
        if (state !== 'unavailable' && (state !== 'shed' || queue.shadowed)) continue;
        this.#takeOut(queue, request);
        if (state === 'shed') request.refuse(shed(deployment, 'waited-too-long', this.#retryAfterSeconds(waiting)), 'shed');
        else request.refuse(noReplica(deployment), 'failed');
      }
    }
  }

  queued(deployment: string): number {
    return this.#queues.get(deployment)?.waiting.size ?? 0;
  }

  /** What waits for a deployment: requests, and KV cache tokens that they are expected to need. */
  waiting(deployment: string): Demand {
    const demand = { requests: 0, kvTokens: 0 };
    for (const request of this.#queues.get(deployment)?.waiting ?? []) {
      demand.requests += 1;
      demand.kvTokens += kvTokensOf(request);
    }
    return demand;
  }

  /** Deployments that have had a queue. */
  deployments(): Iterable<string> {
    return this.#queues.keys();
  }

  #putIn(queue: Queue, request: Waiting): void {
    if (queue.fellBack && queue.waiting.size === 0) {
      queue.scheduler = newScheduler(this.#policy(queue.shadowed));
      queue.fellBack = false;
    }
    this.#ask(queue, request.deployment, (scheduler) => scheduler.enqueue(request));
    queue.waiting.add(request);
    this.#pump(request.deployment, queue);
  }

  /** Releases what can be released now. */
  #pump(deployment: string, queue: Queue): void {
    // What is released may fail at once and come back here: the run that released it goes on with it.
    if (queue.pumping) {
      queue.again = true;
      return;
    }
    queue.pumping = true;
    const used: LiveReplica[] = [];
    try {
      do {
        queue.again = false;
        this.#release(deployment, queue, used);
      } while (queue.again);
    } finally {
      queue.pumping = false;
      for (const replica of used) replica.closeBatch();
      if (queue.waiting.size > 0) this.#ticker ??= setInterval(() => this.#tick(), TICK_MS).unref();
    }
  }

  #release(deployment: string, queue: Queue, used: LiveReplica[]): void {
    const { waiting } = queue;
    while (waiting.size > 0) {
      // Asked for each time: a release may have found a replica gone.
      const replicas = this.#fleet.eligible(deployment);
      if (replicas.length === 0) return;
      const nowMs = performance.now();
      const assignment = this.#ask(queue, deployment, (scheduler) => scheduler.next(replicas, nowMs));
      this.#options.onScheduled(performance.now() - nowMs);
      if (!assignment) return;
      used.push(assignment.replica);
      waiting.delete(assignment.request);
      assignment.request.release(assignment);
    }
  }

  #tick(): void {
    let waits = false;
    for (const [deployment, queue] of this.#queues) {
      if (queue.waiting.size > 0) this.#pump(deployment, queue);
      if (queue.waiting.size > 0) waits = true;
    }
    if (waits) return;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }

  /** Of the deployments that may serve it, the one with the most room for its size; one without a healthy replica only if all are. */
  #leastLoaded(request: Waiting): string {
    if (request.alternatives.length === 0) return request.deployment;
    let best = request.deployment;
    let bestLoad = this.#load(best);
    for (const deployment of request.alternatives) {
      const load = this.#load(deployment);
      if (load < bestLoad) [best, bestLoad] = [deployment, load];
    }
    return best;
  }

  #load(deployment: string): number {
    let open = this.queued(deployment);
    let capacity = 0;
    for (const replica of this.#fleet.eligible(deployment)) {
      open += replica.load.inFlight;
      capacity += replica.maxInFlight;
    }
    return capacity === 0 ? Number.POSITIVE_INFINITY : open / capacity;
  }

  #policy(shadowed: boolean): SchedulerPolicy {
    return shadowed ? SHADOWED : this.#options.policy;
  }

  #queue(deployment: string): Queue {
    let queue = this.#queues.get(deployment);
    if (!queue) {
      const shadowed = this.#shadowed.has(deployment);
      const scheduler = newScheduler(this.#policy(shadowed));
      queue = { waiting: new PassingSet(), scheduler, shadowed, fellBack: false, woken: false, pumping: false, again: false };
      this.#queues.set(deployment, queue);
    }
    return queue;
  }

  /** Harmless where it does not wait there. */
  #takeOut(queue: Queue, request: Waiting): void {
    if (queue.waiting.delete(request)) this.#ask(queue, request.deployment, (scheduler) => scheduler.cancel(request));
  }

  /** Asks the queue's scheduler, or the fallback where that throws: nobody is there to catch it in a timer, and it would end the process. */
  #ask<T>(queue: Queue, deployment: string, ask: (scheduler: Queue['scheduler']) => T): T {
    try {
      return ask(queue.scheduler);
    } catch (error) {
      if (queue.fellBack) throw error;
      this.#options.onPolicyFailed(deployment, error);
      queue.scheduler = newScheduler(FALLBACK);
      queue.fellBack = true;
      for (const request of queue.waiting) queue.scheduler.enqueue(request);
      return ask(queue.scheduler);
    }
  }

  /** What the longest waiting have waited is about what a newcomer would. */
  #retryAfterSeconds(waiting: Iterable<Waiting>): number {
    // The first has waited longest, but for those that a replica has failed. Many are refused at a time: it is not looked for among all.
    const [oldest] = waiting;
    const waitedMs = oldest ? performance.now() - oldest.arrivalMs : 0;
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, waitedMs / 1000));
  }
}

function newScheduler(policy: SchedulerPolicy): Scheduler<Waiting, LiveReplica> {
  // A seed of its own for each, or all gateways would draw the same lots.
  return withRevisionShares<Waiting, LiveReplica>(policy.createScheduler(Math.random() * 2 ** 32));
}
