/** A plan made again of what it came to: nothing should move. */
import type { Replica } from '../../core/domain/replica.ts';
import { type FleetPlan, type FleetReplica, planFleet } from '../../core/placement/fleet/fleet-plan.ts';
import type { MilpSolver } from '../../core/placement/fleet/milp.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import { AS_IN_USE } from './as-in-use.ts';

/** Replicas that would come new or leave. */
export function movedAgain(input: FleetInput, plan: FleetPlan, solver: MilpSolver): number {
  const replicas = plan.replicas.map(presentOf);
  const again = planFleet({ ...input, replicas }, solver, { ...AS_IN_USE, priceMoves: true });
  const kept = again.replicas.filter((r) => r.presentId !== undefined).length;
  return again.replicas.length - kept + (replicas.length - kept);
}

function presentOf({ deployment, model, host, accelerators, shape }: FleetReplica, i: number): Replica {
  const { acceleratorKind, tensorParallel } = shape;
  return {
    ...{ id: `present-${i}`, deployment, model, revision: 1, host, accelerators: [...accelerators], acceleratorKind, tensorParallel },
    ...{ engine: 'vllm', endpoint: null, state: 'ready', generation: 1, weight: 100, simulated: false, reason: '' },
  };
}
