/** How many replicas, and how much capacity, a deployment should have. */
import type { Goal } from './draft.ts';
import type { DeploymentDemand } from './types.ts';

/** New placements are made so that the demand takes this share of the capacity: a demand that rises by 10 % still fits. */
const PLANNED_LOAD = 0.9;
/** A replica goes only where the demand takes at most this share of what is left: a demand that falls by 10 % moves nothing. */
const SCALE_IN_LOAD = 0.8;

/** What a new placement should reach. */
export function wantedGoal({ spec, demand }: DeploymentDemand): Goal {
  return { replicas: spec.replicas.min, requestsPerSecond: demand.requestsPerSecond / PLANNED_LOAD };
}

/** Below this, a deployment is short. */
export function leastGoal({ spec, demand }: DeploymentDemand): Goal {
  return { replicas: spec.replicas.min, requestsPerSecond: demand.requestsPerSecond };
}

/** What must be left when a replica goes because fewer suffice. */
export function ampleGoal({ spec, demand }: DeploymentDemand): Goal {
  return { replicas: spec.replicas.min, requestsPerSecond: demand.requestsPerSecond / SCALE_IN_LOAD };
}
