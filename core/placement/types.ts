/** What planning reads: one immutable picture of the fleet, the wishes and the present placement. Plain JSON. */
import type { Demand, DeploymentSpec } from '../domain/deployment.ts';
import type { HostState } from '../domain/fleet.ts';
import type { ModelShape } from '../domain/model-spec.ts';
import type { Move, PlanPurpose, PlanReport } from '../domain/plan.ts';
import type { Replica } from '../domain/replica.ts';
import type { SloTargets } from '../domain/slo-policy.ts';
import type { StepTimeProfile } from '../domain/step-time.ts';
import type { Variations } from './capacity/capacity.ts';
import type { Shape } from './shapes.ts';

export interface PlanInput {
  purpose: PlanPurpose;
  /** What the plan is for: a deployment (`deploy`), a host (`drain`) or `cluster`. */
  subject: string;
  hosts: readonly HostState[];
  prices: Prices;
  /** By model name; every planned deployment's model must be here. */
  models: Readonly<Record<string, ModelShape>>;
  /** Only those to be planned. Replicas of others just hold their accelerators. */
  deployments: readonly DeploymentDemand[];
  /** Replicas as they are; ended ones may be among them and hold nothing. */
  replicas: readonly Replica[];
  /** Calibrated shapes; the prior of `core/domain/step-time.ts` serves for the rest. */
  stepTimes: readonly StepTimeProfile[];
  /** By `shapeKey`: what simulation found a capacity to be, relative to the closed form. Absent: nothing was simulated. */
  capacityFactors?: Readonly<Record<string, number>>;
  budget: MoveBudget;
  /** New replicas are named `<idPrefix>-1`, `<idPrefix>-2`, ... in the order of their moves. */
  idPrefix: string;
  /** The host to empty; with purpose `drain` only. */
  drainHost?: string;
  /** Deployments that were deleted and have replicas still. */
  undeclared?: readonly string[];
}

/** What one accelerator costs, USD an hour. A kind in neither map has no price. */
export interface Prices {
  /** By accelerator kind: the catalog's. */
  byKind: Readonly<Record<string, number>>;
  /** By host, then kind: what the host's owner declared. It goes before the catalog's. */
  byHost: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface DeploymentDemand {
  spec: DeploymentSpec;
  /** The revision that should serve: on `deploy` the new one, else the current one. */
  revision: number;
  demand: Demand;
  /** Of its lengths, where observed; else as `capacity/` has them. */
  variations?: Variations;
  /** What the forecast rests on, for reasons: `weekly pattern: 4.0 now x 1.25, and 0.9 for bursts`. */
  forecastBasis?: string;
  /** The tightest targets that its model's policies set; null where no policy names any. */
  targets: SloTargets | null;
  /** Hosts that it may not have, whatever its lists allow: there stands what it keeps apart from. */
  shutOut?: readonly string[];
  /** A rollout is bringing another revision in. Told to drains only: nothing else plans what a rollout holds. */
  inRollout?: boolean;
}

export interface MoveBudget {
  /** How many replicas of one deployment below what it needs may be away at once. */
  maxUnavailable: number;
  /** How many moves may be under way at once in the whole cluster, for drains, rebalances and replacements together. */
  maxMoving: number;
}

export interface PlanOutput {
  moves: Move[];
  report: PlanReport;
  /** Deployments that the moves change. */
  changes: DeploymentChange[];
}

export interface DeploymentChange {
  deployment: DeploymentDemand;
  before: ServingShape[];
  after: ServingShape[];
}

/** A replica as the outlook counts it; `shape` is null where it no longer fits the model's figures. */
export interface ServingShape {
  shape: Shape | null;
  usdPerHour: number | null;
}
