/** How many replicas in each column: least shortage first, then least money, each with a proven bound. */
import { assignGreedily, presentCounts } from './greedy.ts';
import { improve } from './local-search.ts';
import { type MilpSolution, type MilpSolver, relaxed } from './milp.ts';
import { type FleetProblem, shortfallOf } from './problem.ts';
import { fleetProgram, missingWeight, type ProgramGoal, programStart, type Shortage } from './program.ts';

export interface Assignment {
  /** Replicas, one number a column. */
  counts: number[];
  /** Money of the replicas, moves not counted. */
  usdPerHour: number;
  /** No assignment with as little shortage costs less, moves counted. */
  lowerBoundUsdPerHour: number;
  shortage: Shortage;
  /** No assignment with as few missing replicas leaves less unmet, requests a second. */
  lowerBoundUnmetPerSecond: number;
}

export interface AssignOptions {
  /** Price of bringing up one replica, USD an hour for as long as it should pay for itself; 0 where nothing is there yet. */
  moveUsdPerHour: (column: number) => number;
  /** Prove the optimum, however long it takes; else it is proven only where that is quick. */
  exact: boolean;
}

/** Up to so many columns a program is solved to the end, or nearly always. */
const EXACT_COLUMNS = 250;
const EXACT_NODES = 20_000;
/** Beyond, so close to the optimum will do (of the money; of all demand, where it cannot all be met), in at most so many nodes. */
const GAP = 0.008;
const UNMET_GAP = 1e-4;
const NODES = 100;
/** Beyond so many columns there is no search tree: rounding, greedy and local search find the counts, the relaxation with its cuts the bound. */
const MOST_COLUMNS = 20_000;

export function assign(problem: FleetProblem, solver: MilpSolver, { moveUsdPerHour, exact }: AssignOptions): Assignment {
  const { columns, wishes } = problem;
  const small = columns.length <= EXACT_COLUMNS;
  const maxNodes = exact ? 2 ** 31 - 1 : small ? EXACT_NODES : columns.length <= MOST_COLUMNS ? NODES : 1;
  const toTheEnd = exact || small;
  const demand = wishes.reduce((sum, w) => sum + w.requestsPerSecond, 0);
  const rounded = roundedDown(problem, solver, moveUsdPerHour);
  const solve = (goal: ProgramGoal, counts: readonly number[]): Solved => {
    const start = programStart(problem, goal, counts);
    const absoluteGap = goal.minimise === 'shortage' && rounded.short && !toTheEnd ? UNMET_GAP * demand : 1e-9;
    // A share of the shortage would be one of the missing minimum, too, which weighs more than all demand.
    const relativeGap = toTheEnd || goal.minimise === 'shortage' ? 0 : GAP;
    const solution = solver(fleetProgram(problem, goal), { relativeGap, absoluteGap, maxNodes, start });
    if (solution.status === 'infeasible') throw new Error('unreachable: the start is feasible');
    return solution;
  };

  // Where moves are few, what is there is the only beginning that surely keeps to them.
  let counts =
    problem.mostMoves === undefined
      ? bestOf(problem, moveUsdPerHour, [presentCounts(problem), rounded.counts])
      : problem.columns.map((c) => c.present);
  let shortage = totalShortage(problem, counts);
  let lowerBoundUnmetPerSecond = 0;
  if (shortage.unmetPerSecond + shortage.missingReplicas > 0) {
    const least = solve({ minimise: 'shortage', moveUsdPerHour }, counts);
    counts = least.values.slice(0, columns.length);
    shortage = totalShortage(problem, counts);
    lowerBoundUnmetPerSecond = Math.max(0, least.bound - missingWeight(problem) * shortage.missingReplicas);
  }
  const cheapest = solve({ minimise: { moneyWithin: loosened(shortage) }, moveUsdPerHour }, counts);
  counts = cheapest.values.slice(0, columns.length);
  const present = presentCounts(problem);
  if (!toTheEnd && isAsGood(problem, present, counts, moveUsdPerHour)) counts = present;
  shortage = totalShortage(problem, counts);
  return {
    counts,
    usdPerHour: columns.reduce((sum, c, i) => sum + c.usdPerHour * counts[i]!, 0),
    lowerBoundUsdPerHour: Math.max(0, cheapest.bound),
    shortage,
    lowerBoundUnmetPerSecond: Math.min(lowerBoundUnmetPerSecond, shortage.unmetPerSecond),
  };
}

type Solved = Extract<MilpSolution, { status: 'solved' }>;

/**
 * Leaves what is there as little undone, and costs hardly more? A search that stops within a gap finds something a little cheaper each time
 * that it begins elsewhere: nothing moves for that.
 */
function isAsGood(
  problem: FleetProblem,
  present: readonly number[],
  counts: readonly number[],
  moveUsdPerHour: (column: number) => number,
): boolean {
  const [there, found] = [totalShortage(problem, present), totalShortage(problem, counts)];
  if (there.missingReplicas > found.missingReplicas || there.unmetPerSecond > found.unmetPerSecond * (1 + UNMET_GAP)) return false;
  return moneyOf(problem, present, moveUsdPerHour) <= moneyOf(problem, counts, moveUsdPerHour) * (1 + GAP);
}

/** USD an hour, new replicas with the price of bringing them up. */
function moneyOf({ columns }: FleetProblem, counts: readonly number[], moveUsdPerHour: (column: number) => number): number {
  return columns.reduce((sum, c, i) => sum + c.usdPerHour * counts[i]! + moveUsdPerHour(i) * Math.max(0, counts[i]! - c.present), 0);
}

/** The relaxation's counts, rounded down: they fit, and leave a little for greedy to fill. `short`: even in parts, not all demand fits. */
function roundedDown(
  problem: FleetProblem,
  solver: MilpSolver,
  moveUsdPerHour: (column: number) => number,
): { counts: number[]; short: boolean } {
  const nothing = problem.columns.map(() => 0);
  for (const minimise of [{ moneyWithin: { unmetPerSecond: 0, missingReplicas: 0 } }, 'shortage'] as const) {
    const relaxation = solver(relaxed(fleetProgram(problem, { minimise, moveUsdPerHour })), {
      relativeGap: 0,
      absoluteGap: 0,
      maxNodes: 0,
    });
    if (relaxation.status === 'infeasible') continue;
    return { counts: nothing.map((_, i) => Math.floor(relaxation.values[i]! + 1e-6)), short: minimise === 'shortage' };
  }
  return { counts: nothing, short: true };
}

/** Each beginning is filled up and improved; the one that leaves least undone, then the cheapest, is taken. */
function bestOf(problem: FleetProblem, moveUsdPerHour: (column: number) => number, beginnings: readonly number[][]): number[] {
  const tried = beginnings.map((begun) => {
    const { values } = improve(problem, assignGreedily(problem, begun, moveUsdPerHour), moveUsdPerHour);
    const { unmetPerSecond, missingReplicas } = totalShortage(problem, values);
    return { values, rank: [missingReplicas, unmetPerSecond, moneyOf(problem, values, moveUsdPerHour)] as const };
  });
  const [best] = tried.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2]);
  return [...best!.values];
}

/** Sums of many reals: the least shortage must stay feasible. */
function loosened({ unmetPerSecond, missingReplicas }: Shortage): Shortage {
  return { unmetPerSecond: unmetPerSecond * (1 + 1e-7), missingReplicas };
}

function totalShortage(problem: FleetProblem, counts: readonly number[]): Shortage {
  const short = shortfallOf(problem, counts);
  return {
    unmetPerSecond: short.reduce((sum, s) => sum + s.unmetPerSecond, 0),
    missingReplicas: short.reduce((sum, s) => sum + s.missingReplicas, 0),
  };
}
