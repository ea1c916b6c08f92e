/** What a scheduling policy sees, and what it answers. Times are milliseconds on one clock of the caller's; lengths are tokens. */
import type { SloPolicy, SloTargets } from '../domain/slo-policy.ts';
import type { StepTimeCoefficients } from '../domain/step-time.ts';
import type { Deadlines } from './deadlines.ts';
import type { Explanation } from './explanation.ts';
import type { ReplicaLoad } from './load.ts';

/** A request that waits at the gateway (or in the simulator). */
export interface QueuedRequest {
  readonly id: string;
  readonly deployment: string;
  readonly class: string;
  readonly tenant: string;
  /** The tenant's share relative to others' of the same class, where not all can be served in time. */
  readonly tenantWeight: number;
  /** Higher is more urgent; below 0 may be shed. */
  readonly priority: number;
  readonly arrivalMs: number;
  readonly targets: SloTargets;
  readonly deadlines: Deadlines;
  /** How long it may wait, and what becomes of it then. */
  readonly queue: SloPolicy['queue'];
  readonly inputTokens: number;
  /** Predicted output tokens, as quantiles. */
  readonly predictedOutput: { readonly p50: number; readonly p90: number };
  /** Output tokens that have come. */
  readonly producedTokens: number;
  /** Ids of the prompt's leading blocks: equal ids, equal content up to there. null where nobody looked. */
  readonly prefix: Prefix | null;
  /** Replicas on which it failed before its first token: taken again only when no other can have it. */
  readonly avoid: ReadonlySet<string>;
  /** Someone wants to know why it goes where it goes. */
  readonly explain: boolean;
}

export interface Prefix {
  readonly blocks: readonly (string | number)[];
  readonly blockTokens: number;
}

/** What an engine said of itself when it was last asked; it knows the requests of every gateway. */
export interface EngineLoad {
  running: number;
  waiting: number;
  /** 0 to 1. */
  kvCacheUsage: number;
}

/** A healthy replica that may be given requests. */
export interface ReplicaView {
  readonly id: string;
  /** Revisions share a deployment's traffic by their weights; replicas of one revision by their load. */
  readonly revision: number;
  /** Above 0. */
  readonly weight: number;
  /** Requests that the caller may have open on it at once; of one that batches statically, the size of its batch. */
  readonly maxInFlight: number;
  /** Whether it takes requests into the batch under way, or its next batch when all of the last has ended. */
  readonly batching: 'continuous' | 'static';
  /** False while a replica that batches statically is at work: it takes its next batch when all of the last has ended. */
  readonly accepting: boolean;
  readonly stepTime: StepTimeCoefficients;
  readonly kvCacheTokens: number;
  /** Of `kvCacheTokens`, those that belong to other gateways. None where absent. */
  readonly kvElsewhereTokens?: number;
  /** What the caller has open on it. */
  readonly load: ReplicaLoad;
  /** null until it was asked. */
  readonly engine: EngineLoad | null;
}

export interface Assignment<R extends QueuedRequest = QueuedRequest, V extends ReplicaView = ReplicaView> {
  readonly request: R;
  readonly replica: V;
  /** Why now and why there; null unless the request asks for it. */
  readonly explanation: Explanation | null;
}

/**
 * The queue of one deployment and the rule by which it empties. It has no clock and starts nothing: whoever owns it tells what comes and
 * asks what goes.
 */
export interface Scheduler<R extends QueuedRequest = QueuedRequest, V extends ReplicaView = ReplicaView> {
  /** Requests that wait. */
  readonly size: number;
  enqueue(request: R): void;
  /** Takes out one that no longer waits (its client is gone, or it was shed); false where it had left before. */
  cancel(request: R): boolean;
  /**
   * The request that goes now, and its replica; null when nothing can go. It has then left the queue: open it on the replica's load, or
   * enqueue it again, before asking for the next.
   * @param replicas healthy ones of that deployment with a weight above 0
   * @param all where `replicas` are those of one revision: those of every revision
   */
  next(replicas: readonly V[], nowMs: number, all?: readonly V[]): Assignment<R, V> | null;
}

export interface SchedulerPolicy {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** @param seed of whatever the policy draws by lot */
  createScheduler<R extends QueuedRequest, V extends ReplicaView>(seed?: number): Scheduler<R, V>;
}
