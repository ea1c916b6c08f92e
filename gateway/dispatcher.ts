/**
 * Where requests wait, and where they are released: one queue a deployment. Between choosing a replica and opening the request on it there
 * is no await, so that a new routing table never finds a request on its way to a replica that it has not.
 */
import { admission, standing } from '../core/scheduler/admission.ts';
import type { Assignment, QueuedRequest, SchedulerPolicy, Shares } from '../core/scheduler/types.ts';
import type { ApiError } from './errors.ts';
import { noReplica, queueFull, shed } from './errors.ts';
import type { Fleet } from './fleet.ts';
import type { LiveReplica } from './replica.ts';

/** A request as it waits here. Exactly one of `release` and `refuse` is called for each time it is queued, unless it is cancelled. */
export interface Waiting extends QueuedRequest {
  deployment: string;
  /** Other deployments that may serve it too: where it was asked for by its model's name. */
  readonly alternatives: readonly string[];
  release(assignment: Assignment<Waiting, LiveReplica>): void;
  refuse(error: ApiError, outcome: 'shed' | 'failed'): void;
}

export interface DispatcherOptions {
  policy: SchedulerPolicy;
  maxQueued: number;
  /** Told how long each run of the policy took. */
  onScheduled: (ms: number) => void;
}

interface Queue {
  waiting: Set<Waiting>;
  shares: Shares;
}

const MAX_RETRY_AFTER_SECONDS = 60;

export class Dispatcher {
  readonly #queues = new Map<string, Queue>();
  readonly #fleet: Fleet;
  readonly #options: DispatcherOptions;
  readonly #pumping = new Set<string>();
  readonly #again = new Set<string>();

  constructor(fleet: Fleet, options: DispatcherOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  /** Queues a request that has just come, or refuses it at once. */
  enqueue(request: Waiting): void {
    request.deployment = this.#leastLoaded(request);
    const { waiting } = this.#queue(request.deployment);
    const verdict = admission(waiting, request, this.#options.maxQueued);
    if (verdict.verdict === 'full') {
      request.refuse(queueFull(request.deployment, waiting.size, this.#retryAfterSeconds(waiting)), 'shed');
      return;
    }
    if (verdict.instead) {
      waiting.delete(verdict.instead);
      verdict.instead.refuse(shed(request.deployment, 'displaced', this.#retryAfterSeconds(waiting)), 'shed');
    }
    waiting.add(request);
    this.pump(request.deployment);
  }

  /** Queues a request again that a replica has failed: it was admitted once and keeps its arrival. */
  requeue(request: Waiting): void {
    this.#queue(request.deployment).waiting.add(request);
    this.pump(request.deployment);
  }

  /** The client is gone. */
  cancel(request: Waiting): void {
    this.#queues.get(request.deployment)?.waiting.delete(request);
  }

  /** Releases what can be released now. */
  pump(deployment: string): void {
    const queue = this.#queues.get(deployment);
    if (!queue) return;
    // What is released may fail at once and come back here: it waits for the next run, whose views count what this one has opened.
    if (this.#pumping.has(deployment)) {
      this.#again.add(deployment);
      return;
    }
    this.#pumping.add(deployment);
    try {
      do {
        this.#again.delete(deployment);
        this.#release(deployment, queue);
      } while (this.#again.has(deployment));
    } finally {
      this.#pumping.delete(deployment);
    }
  }

  /** Looks after those who have waited too long. Called a few times a second. */
  sweep(nowMs: number): void {
    for (const [deployment, { waiting }] of this.#queues) {
      const hasReplica = this.#fleet.eligible(deployment).length > 0;
      for (const request of waiting) {
        const refuge = hasReplica ? undefined : request.alternatives.find((d) => this.#fleet.eligible(d).length > 0);
        if (refuge) {
          waiting.delete(request);
          request.deployment = refuge;
          this.requeue(request);
          continue;
        }
        const state = standing(request, nowMs, hasReplica);
        if (state !== 'shed' && state !== 'unavailable') continue;
        waiting.delete(request);
        if (state === 'shed') request.refuse(shed(deployment, 'waited-too-long', this.#retryAfterSeconds(waiting)), 'shed');
        else request.refuse(noReplica(deployment), 'failed');
      }
    }
  }

  queued(deployment: string): number {
    return this.#queues.get(deployment)?.waiting.size ?? 0;
  }

  /** Deployments that have had a queue. */
  deployments(): Iterable<string> {
    return this.#queues.keys();
  }

  #release(deployment: string, queue: Queue): void {
    if (queue.waiting.size === 0) return;
    const replicas = this.#fleet.eligible(deployment);
    if (replicas.length === 0) return;
    const startedMs = performance.now();
    const assignments = this.#options.policy.schedule(queue.waiting, replicas, startedMs, queue.shares);
    this.#options.onScheduled(performance.now() - startedMs);
    for (const assignment of assignments) {
      // An earlier release of this run may have found the replica gone.
      if (!assignment.replica.eligible) this.#again.add(deployment);
      else if (queue.waiting.delete(assignment.request)) assignment.request.release(assignment);
    }
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
      open += replica.running.size;
      capacity += replica.maxInFlight;
    }
    return capacity === 0 ? Number.POSITIVE_INFINITY : open / capacity;
  }

  #queue(deployment: string): Queue {
    let queue = this.#queues.get(deployment);
    if (!queue) {
      queue = { waiting: new Set(), shares: new Map() };
      this.#queues.set(deployment, queue);
    }
    return queue;
  }

  /** What the longest waiting have waited is about what a newcomer would. */
  #retryAfterSeconds(waiting: ReadonlySet<Waiting>): number {
    const [oldest] = waiting;
    const waitedMs = oldest ? performance.now() - oldest.arrivalMs : 0;
    return Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, waitedMs / 1000));
  }
}
