/**
 * What monitoring looks at: predictions beside what happened, over one window of time. Gathered by whoever runs the monitor (the simulator
 * from its own bookkeeping, `monitorCluster` from observations, leases and host reports); read by the detectors only.
 */
import type { StepTimeCoefficients } from '../../domain/step-time.ts';

export interface Evidence {
  /** Time of the look, ms; any clock that only goes forward. */
  atMs: number;
  /** The window that ends at `atMs`, ms. Counts are of this window. */
  windowMs: number;
  answers: AnswerEvidence[];
  replicas: ReplicaEvidence[];
}

/** The finished answers of one model and SLO class. */
export interface AnswerEvidence {
  model: string;
  class: string;
  /** Answers that ended by themselves and were predicted. */
  answers: number;
  /** Share of them longer than their predicted median, and than their predicted p90; 0 to 1. */
  aboveP50: number;
  aboveP90: number;
  /** Median of actual over predicted median length. */
  medianRatio: number;
  /** Requests that have a verdict on their SLO, and how many attained it. */
  judged: number;
  attained: number;
}

/** What gateways tell of one replica's engine. */
export interface ReplicaGauges {
  /** Measured over predicted step time, by live streams; null where too few steps were seen. */
  stepTimeRatio: number | null;
  /** The coefficients that live streams show; null or absent where too little was seen. */
  stepTimeFit?: StepTimeCoefficients | null;
  /** KV cache in use as the engine says, 0 to 1; null where it does not say. */
  kvUsage: number | null;
  /** The same as the gateways reckon it from what they have open there. */
  expectedKvUsage: number | null;
  /** Requests that the engine evicted to recompute, in the window. */
  preemptions: number;
  /** Requests in the engine now: in its batch, and in its own queue. */
  running: number;
  waiting: number;
}

export interface ReplicaEvidence extends ReplicaGauges {
  replicaId: string;
  deployment: string;
  model: string;
  generation: number;
  /** Its coefficients in force; null or absent where it has none. */
  stepTime?: StepTimeCoefficients | null;
  /** Times that the engine ended for want of memory, in the window. */
  outOfMemoryExits: number;
  /** What its engine was started with: share of the accelerators' memory, and sequences at once. Unknown where absent. */
  memoryUtilisation?: number | null;
  maxSequences?: number | null;
  /** Requests ended in the window that have a verdict on their SLO, and how many attained it. */
  judged: number;
  attained: number;
}
