/** Other ways to place, at the same attainment: the same shapes with the same capacities, the same demand. */
import type { MilpSolver } from '../../../core/placement/fleet/milp.ts';
import type { FleetInput } from '../../../core/placement/fleet/problem.ts';

export interface PeerPlan {
  usdPerHour: number;
  /** Does it serve all demand, with all least replicas? */
  serves: boolean;
}

export type Peer = (input: FleetInput, solver: MilpSolver) => PeerPlan;
