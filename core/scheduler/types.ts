/** What a scheduling policy sees, and what it answers. Times are milliseconds on one clock of the caller's; lengths are tokens. */
import type { SloPolicy, SloTargets } from '../domain/slo-policy.ts';
import type { StepTimeCoefficients } from '../domain/step-time.ts';
import type { Deadlines } from './deadlines.ts';

/** A request that waits at the gateway (or in the simulator). */
export interface QueuedRequest {
  readonly id: string;
  readonly deployment: string;
  readonly class: string;
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
  /** Replicas on which it failed before its first token: taken again only when no other can have it. */
  readonly avoid: ReadonlySet<string>;
}

/** What an engine said of itself when it was last asked; it knows the requests of every gateway. */
export interface EngineLoad {
  running: number;
  waiting: number;
  /** 0 to 1. */
  kvCacheUsage: number;
}

/** A healthy replica that may be given requests. Counts are the caller's own requests. */
export interface ReplicaView {
  readonly id: string;
  /** Revisions share a deployment's traffic by their weights; replicas of one revision by their load. */
  readonly revision: number;
  /** Above 0. */
  readonly weight: number;
  readonly maxInFlight: number;
  readonly stepTime: StepTimeCoefficients;
  readonly kvCacheTokens: number;
  /** Released to it and not ended. */
  readonly running: ReadonlySet<QueuedRequest>;
  /** Requests ever released to it: breaks ties, so that equals take turns. */
  readonly started: number;
  /** KV cache tokens that `running` is expected to need. */
  readonly reservedKvTokens: number;
  /** Prompt tokens of requests whose first token has not come. */
  readonly outstandingPrefillTokens: number;
  /** Sum of the squares of those prompts' lengths: what attention over them costs. */
  readonly outstandingPrefillSquares: number;
  /** Output tokens that `running` is expected to produce yet. */
  readonly outstandingDecodeTokens: number;
  /** null until it was asked. */
  readonly engine: EngineLoad | null;
}

export interface Assignment<R extends QueuedRequest = QueuedRequest, V extends ReplicaView = ReplicaView> {
  request: R;
  replica: V;
  /** Why now and why there, with the figures; costs nothing until it is asked. */
  explain: () => string;
}

/**
 * What must be remembered between two runs of a policy on one deployment so that revisions get their exact shares: each revision's
 * credit. The caller keeps it; policies write nothing else.
 */
export type Shares = Map<number, number>;

export interface SchedulerPolicy {
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /**
   * Which waiting requests of one deployment go now, and to which replica. Releases no more than the replicas have room for; what is not
   * in the answer keeps waiting.
   * @param replicas healthy ones of that deployment with a weight above 0
   */
  schedule<R extends QueuedRequest, V extends ReplicaView>(
    queue: ReadonlySet<R>,
    replicas: readonly V[],
    nowMs: number,
    shares: Shares,
  ): Assignment<R, V>[];
}
