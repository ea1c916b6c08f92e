/** The reference for fleets that are short: the shortage program, solved to the end. */
import type { MilpSolver } from '../../core/placement/fleet/milp.ts';
import { openPipelineBook } from '../../core/placement/fleet/pipelines.ts';
import type { FleetInput } from '../../core/placement/fleet/problem.ts';
import { fleetProblem, shortfallOf } from '../../core/placement/fleet/problem.ts';
import { fleetProgram } from '../../core/placement/fleet/program.ts';
import { openShapeBook } from '../../core/placement/shapes.ts';

/** A search that is longer is given up. */
const MAX_NODES = 200_000;

/** Requests a second; `proven` unless the search was given up. */
export function leastUnmet(input: FleetInput, solver: MilpSolver): { perSecond: number; proven: boolean } {
  const problem = fleetProblem(input, openShapeBook(input), openPipelineBook(input));
  const program = fleetProgram(problem, { minimise: 'shortage', moveUsdPerHour: () => 0 });
  const solution = solver(program, { relativeGap: 0, absoluteGap: 1e-9, maxNodes: MAX_NODES });
  if (solution.status === 'infeasible') throw new Error('unreachable: all may be left unmet');
  const short = shortfallOf(problem, solution.values.slice(0, problem.columns.length));
  return {
    perSecond: short.reduce((sum, s) => sum + s.unmetPerSecond, 0),
    proven: solution.objective - solution.bound <= 1e-6 * Math.max(1, solution.objective),
  };
}
