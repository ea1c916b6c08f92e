/** How many replicas in each column: least shortage first, then least money, each with a proven bound. */
import { beginning, moneyOf, totalShortage } from './beginning.ts';
import { presentCounts } from './greedy.ts';
import type { MilpSolution, MilpSolver } from './milp.ts';
import type { MovePrice } from './move-cost.ts';
import { type FleetProblem, totalDemand } from './problem.ts';
import { fleetProgram, missingWeight, type ProgramGoal, programStart, type Shortage } from './program.ts';

export interface Assignment {
  /** Replicas, one number a column. */
  counts: number[];
  /** No assignment with as little shortage costs less to run, however many moves it takes. */
  lowerBoundUsdPerHour: number;
  /** None costs less if its moves are counted. */
  lowerBoundWithMovesUsdPerHour: number;
  shortage: Shortage;
  /** No assignment with as few missing replicas leaves less unmet, requests a second. */
  lowerBoundUnmetPerSecond: number;
}

export interface AssignOptions {
  /** Price of bringing up one replica, USD an hour for as long as it should pay for itself; absent where nothing is there yet. */
  moveUsdPerHour?: MovePrice | undefined;
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
  const { columns } = problem;
  const small = columns.length <= EXACT_COLUMNS;
  const maxNodes = exact ? 2 ** 31 - 1 : small ? EXACT_NODES : columns.length <= MOST_COLUMNS ? NODES : 1;
  const toTheEnd = exact || small;
  const unmetGap = UNMET_GAP * totalDemand(problem);
  const price = moveUsdPerHour ?? FREE;
  const begun = beginning(problem, solver, price);
  const solve = (goal: ProgramGoal, counts: readonly number[], of = problem): Solved => {
    const start = programStart(of, goal, counts);
    const absoluteGap = goal.minimise === 'shortage' && begun.short && !toTheEnd ? unmetGap : 1e-9;
    // A share of the shortage would be one of the missing minimum, too, which weighs more than all demand.
    const relativeGap = toTheEnd || goal.minimise === 'shortage' ? 0 : GAP;
    return solved(solver(fleetProgram(of, goal), { relativeGap, absoluteGap, maxNodes, start }));
  };

  let { counts } = begun;
  let shortage = totalShortage(problem, counts);
  let lowerBoundUnmetPerSecond = 0;
  if (shortage.unmetPerSecond + shortage.missingReplicas > 0) {
    const least = solve({ minimise: 'shortage', moveUsdPerHour: price }, counts);
    counts = least.values.slice(0, columns.length);
    shortage = totalShortage(problem, counts);
    lowerBoundUnmetPerSecond = Math.max(0, least.bound - missingWeight(problem) * shortage.missingReplicas);
  }
  const minimise = { moneyWithin: loosened(shortage) };
  const cheapest = solve({ minimise, moveUsdPerHour: price }, counts);
  counts = cheapest.values.slice(0, columns.length);
  const present = presentCounts(problem);
  if (!toTheEnd && isAsGood(begun.atMargin, present, counts, price)) counts = present;
  shortage = totalShortage(problem, counts);
  const running = { minimise, moveUsdPerHour: FREE };
  const { mostMoves: _, ...unlimited } = problem;
  return {
    counts,
    lowerBoundUsdPerHour: Math.max(0, (moveUsdPerHour ? solve(running, counts, unlimited) : cheapest).bound),
    lowerBoundWithMovesUsdPerHour: Math.max(0, cheapest.bound),
    shortage,
    lowerBoundUnmetPerSecond: Math.min(lowerBoundUnmetPerSecond, shortage.unmetPerSecond),
  };
}

const FREE: MovePrice = () => 0;

type Solved = Extract<MilpSolution, { status: 'solved' }>;

function solved(solution: MilpSolution): Solved {
  if (solution.status === 'infeasible') throw new Error('unreachable: the start is feasible');
  return solution;
}

/**
 * Leaves what is there as little undone, and costs hardly more? A search that stops within a gap finds something a little cheaper each time
 * that it begins elsewhere: nothing moves for that.
 */
function isAsGood(problem: FleetProblem, present: readonly number[], counts: readonly number[], moveUsdPerHour: MovePrice): boolean {
  const [there, found] = [totalShortage(problem, present), totalShortage(problem, counts)];
  if (there.missingReplicas > found.missingReplicas || there.unmetPerSecond > found.unmetPerSecond + UNMET_GAP * totalDemand(problem))
    return false;
  return moneyOf(problem, present, moveUsdPerHour) <= moneyOf(problem, counts, moveUsdPerHour) * (1 + GAP);
}

/** Sums of many reals: the least shortage must stay feasible. */
function loosened({ unmetPerSecond, missingReplicas }: Shortage): Shortage {
  return { unmetPerSecond: unmetPerSecond * (1 + 1e-7), missingReplicas };
}
