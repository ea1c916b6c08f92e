/** Where the search for counts begins: the better of what is there and of the relaxation rounded down, each filled up and improved. */
import { assignGreedily, presentCounts } from './greedy.ts';
import { improve } from './local-search.ts';
import { type MilpSolver, relaxed } from './milp.ts';
import type { MovePrice } from './move-cost.ts';
import { type FleetProblem, shortfallOf } from './problem.ts';
import { fleetProgram, type Shortage } from './program.ts';

export interface Beginning {
  counts: number[];
  /** Even in parts, not all demand fits. */
  short: boolean;
  /** The problem at the prices that one more replica would pay, where hosts of a pool differ. */
  atMargin: FleetProblem;
}

export function beginning(problem: FleetProblem, solver: MilpSolver, moveUsdPerHour: MovePrice): Beginning {
  const { values, short } = relaxation(problem, solver, moveUsdPerHour);
  const atMargin = { ...problem, columns: columnsAtMargin(problem, values) };
  // Where moves are few, what is there is the only beginning that surely keeps to them.
  if (problem.mostMoves !== undefined) return { counts: presentCounts(problem, 'all'), short, atMargin };
  const roundedDown = values.map((value) => Math.floor(value + 1e-6));
  const begun = problem.columns.some((c) => c.present > 0) ? [presentCounts(problem), roundedDown] : [roundedDown];
  return { counts: bestOf(atMargin, moveUsdPerHour, begun), short, atMargin };
}

function relaxation(problem: FleetProblem, solver: MilpSolver, moveUsdPerHour: MovePrice): { values: number[]; short: boolean } {
  for (const minimise of [{ moneyWithin: { unmetPerSecond: 0, missingReplicas: 0 } }, 'shortage'] as const) {
    const program = relaxed(fleetProgram(problem, { minimise, moveUsdPerHour }));
    const solution = solver(program, { relativeGap: 0, absoluteGap: 0, maxNodes: 0 });
    if (solution.status === 'infeasible') continue;
    return { values: solution.values.slice(0, problem.columns.length), short: minimise === 'shortage' };
  }
  return { values: problem.columns.map(() => 0), short: true };
}

function columnsAtMargin({ pools, columns }: FleetProblem, counts: readonly number[]): FleetProblem['columns'] {
  const usd = pools.map(({ hosts }, p) => {
    let left = columns.reduce((sum, c, i) => sum + (c.pool === p ? c.width * counts[i]! : 0), 0);
    const last = hosts.find(({ accelerators }) => {
      left -= accelerators.length;
      return left < 0;
    });
    return (last ?? hosts.at(-1)!).usdPerHour;
  });
  return columns.map((c) => ({ ...c, usdPerHour: c.width * usd[c.pool]! }));
}

/** Each is filled up and improved; the one that leaves least undone, then the cheapest, is taken. */
function bestOf(problem: FleetProblem, moveUsdPerHour: MovePrice, begun: readonly number[][]): number[] {
  const tried = begun.map((counts) => {
    const { values } = improve(problem, assignGreedily(problem, counts, moveUsdPerHour), moveUsdPerHour);
    const { unmetPerSecond, missingReplicas } = totalShortage(problem, values);
    return { values, rank: [missingReplicas, unmetPerSecond, moneyOf(problem, values, moveUsdPerHour)] as const };
  });
  const [best] = tried.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2]);
  return [...best!.values];
}

/** USD an hour, new replicas with the price of bringing them up. */
export function moneyOf({ columns }: FleetProblem, counts: readonly number[], moveUsdPerHour: MovePrice): number {
  return columns.reduce((sum, c, i) => sum + c.usdPerHour * counts[i]! + moveUsdPerHour(i) * Math.max(0, counts[i]! - c.present), 0);
}

export function totalShortage(problem: FleetProblem, counts: readonly number[]): Shortage {
  const short = shortfallOf(problem, counts);
  return {
    unmetPerSecond: short.reduce((sum, s) => sum + s.unmetPerSecond, 0),
    missingReplicas: short.reduce((sum, s) => sum + s.missingReplicas, 0),
  };
}
