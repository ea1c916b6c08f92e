/** A request that was let in: what is known of it before it waits, and what it has come to when it ends. */
import type { SloPolicy, SloTargets } from '../core/domain/slo-policy.ts';
import type { TenantFeatures } from '../core/domain/tenant.ts';
import type { OutputPrediction } from '../core/profiler/predict.ts';
import type { TextSketch } from '../core/profiler/text/sketch.ts';
import type { Deadlines } from '../core/scheduler/deadlines.ts';
import type { PredictedLatency } from '../core/scheduler/latency.ts';
import type { Prefix } from '../core/scheduler/types.ts';
import type { BudgetHold } from './access/tenant-budgets.ts';
import type { Measured, ObservationOutcome } from './accounts/record.ts';
import type { Usage } from './answers/usage.ts';
import type { CompletionRequest } from './body/request.ts';
import type { LiveReplica } from './replica.ts';

/** Everything about a request that is known when it is accepted. */
export interface Accepted {
  /** Unique; the observation's. */
  id: string;
  /** Echoed to the client and told to the engine: its own, where it sent one. */
  requestId: string;
  request: CompletionRequest;
  path: string;
  /** To be sent on to the engine. */
  headers: Record<string, string>;
  model: string;
  deployment: string;
  alternatives: readonly string[];
  tenant: string;
  class: string;
  /** Its share of the class. */
  tenantWeight: number;
  policy: SloPolicy;
  /** The policy's, with what the request set for itself. */
  targets: SloTargets;
  /** On the monotonic clock. */
  arrivalMs: number;
  acceptedAtMs: number;
  deadlines: Deadlines;
  inputTokens: number;
  /** Of one answer. */
  prediction: OutputPrediction;
  snapshotVersion: number;
  /** What the profiler may learn of it. */
  learnFrom: TenantFeatures;
  text: TextSketch | null;
  prefix: Prefix | null;
  /** It asks why it goes where it goes. */
  explain: boolean;
  /** What is set aside of its tenant's limits; null where it has none. */
  hold: BudgetHold | null;
}

/** What the exchange has come to when it ends. */
export interface Ended {
  outcome: ObservationOutcome | 'rejected';
  measured: Measured;
  usage: Usage | null;
  queueMs: number;
  predicted: PredictedLatency | null;
  replica: LiveReplica | null;
}
