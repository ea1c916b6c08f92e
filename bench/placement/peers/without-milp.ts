/** Parts of the fleet planner alone. */
import { planFleet } from '../../../core/placement/fleet/fleet-plan.ts';
import { assignGreedily } from '../../../core/placement/fleet/greedy.ts';
import type { MilpSolver } from '../../../core/placement/fleet/milp.ts';
import { relaxed } from '../../../core/placement/fleet/milp.ts';
import { openPipelineBook } from '../../../core/placement/fleet/pipelines.ts';
import { fleetProblem, shortfallOf } from '../../../core/placement/fleet/problem.ts';
import { openShapeBook } from '../../../core/placement/shapes.ts';
import { AS_IN_USE } from '../as-in-use.ts';
import type { Peer } from './peer.ts';

/** Again and again the replica that serves a request for the least money. */
export const cheapestPerRequest: Peer = (input) => {
  const problem = fleetProblem(input, openShapeBook(input), openPipelineBook(input));
  const nothing = problem.columns.map(() => 0);
  const { values } = assignGreedily(problem, nothing, () => 0);
  const short = shortfallOf(problem, values);
  return {
    usdPerHour: problem.columns.reduce((sum, c, i) => sum + c.usdPerHour * values[i]!, 0),
    serves: short.every((s) => s.unmetPerSecond === 0 && s.missingReplicas === 0),
  };
};

/** Rounding, greedy and local search: whatever the search tree would begin with is taken. */
export const withoutMilp: Peer = (input, solver) => {
  const { usdPerHour, refusals } = planFleet(input, startOnly(solver), AS_IN_USE);
  return { usdPerHour, serves: refusals.length === 0 };
};

/** Tensor parallelism alone. */
export const withoutPipelines: Peer = (input, solver) => {
  const { usdPerHour, refusals } = planFleet(input, solver);
  return { usdPerHour, serves: refusals.length === 0 };
};

function startOnly(solver: MilpSolver): MilpSolver {
  return (milp, options) => {
    if (!options.start) return solver(milp, options);
    const values = [...options.start];
    const objective = milp.columns.reduce((sum, c, i) => sum + c.cost * values[i]!, 0);
    const relaxation = solver(relaxed(milp), { relativeGap: 0, absoluteGap: 0, maxNodes: 0 });
    return relaxation.status === 'infeasible'
      ? relaxation
      : { status: 'solved', values, objective, bound: Math.min(objective, relaxation.bound) };
  };
}
