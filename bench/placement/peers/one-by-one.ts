/** Placing replica after replica, model after model, until the demand is served or nothing more is found. */
import type { FleetInput } from '../../../core/placement/fleet/problem.ts';
import type { DeploymentDemand } from '../../../core/placement/types.ts';
import type { PeerPlan } from './peer.ts';

export interface Placed {
  usdPerHour: number;
  requestsPerSecond: number;
}

/** @param place one more replica, undefined where there is no room for one */
export function placeOneByOne({ deployments }: FleetInput, place: (deployment: DeploymentDemand) => Placed | undefined): PeerPlan {
  const plan: PeerPlan = { usdPerHour: 0, serves: true };
  for (const deployment of deployments) {
    let left = deployment.demand.requestsPerSecond;
    for (let replicas = 0; left > 1e-6 * deployment.demand.requestsPerSecond || replicas < deployment.spec.replicas.min; replicas++) {
      const placed = place(deployment);
      if (!placed) {
        plan.serves = false;
        break;
      }
      plan.usdPerHour += placed.usdPerHour;
      left -= placed.requestsPerSecond;
    }
  }
  return plan;
}
