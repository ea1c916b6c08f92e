/** What a diagnosis is made from, and what it says. Plain JSON. */
import type { Demand } from '../../domain/deployment.ts';
import type { SloTargets } from '../../domain/slo-policy.ts';
import type { StepTimeCoefficients, StepTimeSource } from '../../domain/step-time.ts';
import type { FleetInput } from '../fleet/problem.ts';
import type { StepTerms, TimeResource } from './step-terms.ts';

/** A replica that serves. */
export interface ServingReplica {
  replicaId: string;
  deployment: string;
  model: string;
  host: string;
  acceleratorKind: string;
  tensorParallel: number;
  simulated: boolean;
  /** Its own, as calibrated and corrected; null where nothing was fitted. */
  stepTime: StepTimeCoefficients | null;
  /** As its engine says; null where it does not. */
  kvCacheTokens: number | null;
  /** Requests that all gateways together let in at once. */
  admissionLimit: number;
}

/** And what was seen of it over the last minutes. */
export interface ObservedReplica extends ServingReplica {
  /** For how long the figures below were counted, s; above 0. */
  observedSeconds: number;
  /** Requests that ended in that time, and means of their lengths; null where none did. */
  demand: Demand | null;
  /** Requests in its engine, and those of them that decoded: means over that time. */
  inEngine: number;
  decoding: number;
  /** Requests that have a verdict on their SLO. */
  judged: number;
  attained: number;
  /** Now: requests that gateways have open there, and that wait in the engine's own queue. */
  inFlight: number;
  waiting: number;
  /** As the engine says, 0 to 1; null where it does not. */
  kvUsage: number | null;
  /** Over monitoring's window. */
  preemptions: number;
}

export interface DiagnosisInput {
  /** With all deployments that serve; capacities are those of the closed form. */
  fleet: Omit<FleetInput, 'capacityFactors'>;
  replicas: readonly ObservedReplica[];
  /** Only this one. */
  deployment?: string | undefined;
}

export type Resource = TimeResource | 'kv-cache' | 'queue';

export interface ReplicaDiagnosis {
  replicaId: string;
  deployment: string;
  host: string;
  acceleratorKind: string;
  tensorParallel: number;
  simulated: boolean;
  stepTimeSource: StepTimeSource;
  observedSeconds: number;
  demand: Demand | null;
  /** Share of the judged requests that met every target; null where none was judged. */
  attainment: number | null;
  targetAttainment: number | null;
  /** Sequences that decode while the engine has anything to do; at least 1. */
  batch: number;
  /** A step that only decodes them, and one with a piece of a prompt beside them, ms. */
  decodeStepMs: number;
  prefillStepMs: number;
  /** Shares of the time on steps; they add up to 1. */
  stepShares: StepTerms;
  /** Of resources that take time: share of all time in which steps wait for it. KV cache and queue: how full. 0 to 1. */
  utilisation: Record<Resource, number>;
  binds: Resource | 'idle';
  /** What says so, in figures. */
  why: string;
  limit: Limit;
}

/** The rate at which the replica can serve such requests within its SLO, and what keeps it from more. */
export interface Limit {
  requestsPerSecond: number;
  /** false: its targets cannot be met at any rate, and the rate is that at which queues stay short. */
  meetsSlo: boolean;
  /** What twice of it would raise the rate the most; `queue` where the admission limit comes first. */
  binds: Resource;
  /** The rate with twice of each resource, over the rate; at least 1. null: only then could the targets be met. */
  withTwice: Record<Exclude<Resource, 'queue'>, number | null>;
}

/** A deployment's ready replicas at what is asked of them now. */
export interface Outcome {
  /** Of all of them together, within the SLO; as `Limit` has it where that cannot be met. */
  requestsPerSecond: number;
  meetsSlo: boolean;
  /** Means on a replica of the shape at issue, which has its share of the demand; null where more comes than it can serve. */
  ttftMs: number | null;
  tpotMs: number | null;
  /** null where a price is unknown. */
  usdPerHour: number | null;
}

export type ChangeKind = 'add-replica' | 'remove-replica' | 'widen' | 'narrow';

export interface Option {
  change: ChangeKind;
  acceleratorKind: string;
  /** Of the replica that comes, goes, or is changed. */
  tensorParallel: number;
  /** Accelerators more; below 0, fewer. */
  accelerators: number;
  /** null where the model does not fit into such a shape's memory, or no replica is left. */
  outcome: Outcome | null;
  verdict: 'gains' | 'loses' | 'saves' | 'short' | 'impossible';
  /** The verdict in words and figures. */
  message: string;
}

/** What one change of accelerators would do to a deployment; one for each shape that it has replicas of. */
export interface Advice {
  deployment: string;
  acceleratorKind: string;
  tensorParallel: number;
  targets: SloTargets | null;
  /** Replicas of that shape, and all of them. */
  replicas: number;
  allReplicas: number;
  /** What arrived, or where nothing did, what is planned for. */
  demand: Demand;
  observed: boolean;
  now: Outcome;
  options: Option[];
}

export interface Diagnosis {
  /** By deployment, then id. */
  replicas: ReplicaDiagnosis[];
  advice: Advice[];
  /** Replicas whose model, host or shape is not known. */
  unknown: { replicaId: string; deployment: string; reason: string }[];
}
