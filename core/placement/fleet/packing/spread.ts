/** Counts over more hosts: replicas go to other pools where that costs their deployment next to nothing, alone or against another's. */
import { type Counts, openCounts } from '../counts.ts';
import type { FleetProblem } from '../problem.ts';

/** What standing on another host may cost more, as a share: less than any move costs. Where the least money is asked for, nothing. */
export const SPREAD_PREMIUM = 0.01;
const ROUNDING = 1e-9;

/** Only replicas that are not there yet go elsewhere. Where moves are limited, none does. */
export function spreadCounts(problem: FleetProblem, counts: readonly number[], exact: boolean): number[] {
  if (problem.mostMoves !== undefined) return [...counts];
  const board = openBoard(problem, counts, exact ? ROUNDING : SPREAD_PREMIUM);
  // Each step leaves deployments more evenly over hosts: it ends.
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, others] of board.alternatives.entries()) for (const to of others) moved = step(board, from, to) || moved;
  }
  return [...board.counts.values];
}

interface Board {
  problem: FleetProblem;
  counts: Counts;
  /** By wish, and by pool. */
  ofWish: number[][];
  ofPool: number[][];
  /** By column: those that serve its deployment as well, at no higher price, on another pool. */
  alternatives: number[][];
  /** By column: hosts of its pool that one of its replicas has room on. */
  hosts: number[];
}

function openBoard(problem: FleetProblem, values: readonly number[], premium: number): Board {
  const { wishes, pools, columns } = problem;
  const counts = openCounts(problem);
  for (const [i, count] of values.entries()) counts.add(i, count);
  const ofWish = wishes.map((_, w) => columns.flatMap((c, i) => (c.wish === w ? [i] : [])));
  const ofPool = pools.map((_, p) => columns.flatMap((c, i) => (c.pool === p ? [i] : [])));
  const alternatives = columns.map((a) =>
    ofWish[a.wish]!.filter((i) => {
      const b = columns[i]!;
      const asGood = b.requestsPerSecond >= a.requestsPerSecond * (1 - ROUNDING) && b.usdPerHour <= a.usdPerHour * (1 + premium);
      return b.pool !== a.pool && b.width === a.width && asGood;
    }),
  );
  const hosts = columns.map(({ pool, width }) => pools[pool]!.hosts.filter((h) => h.accelerators.length >= width).length);
  return { problem, counts, ofWish, ofPool, alternatives, hosts };
}

/** One replica goes from a column to another, where it must for one of another deployment that goes the other way. */
function step(board: Board, from: number, to: number): boolean {
  const { counts } = board;
  // Nothing is gained where each stands on a host of its own.
  if (!mayLeave(board, from) || standing(board, from) <= board.hosts[from]!) return false;
  const evened = gain(board, from, to);
  if (evened <= ROUNDING) return false;
  counts.add(from, -1);
  if (counts.room(to) > 0 || makesRoom(board, from, to, evened)) {
    counts.add(to, 1);
    return true;
  }
  counts.add(from, 1);
  return false;
}

/** One replica of another deployment goes from the pool of `to` to that of `from`, which leaves all in all more evenly spread. */
function makesRoom(board: Board, from: number, to: number, evened: number): boolean {
  const { counts, ofPool, alternatives } = board;
  const { columns } = board.problem;
  for (const other of ofPool[columns[to]!.pool]!) {
    if (columns[other]!.width !== columns[to]!.width || columns[other]!.wish === columns[to]!.wish) continue;
    for (const back of alternatives[other]!) {
      if (columns[back]!.pool !== columns[from]!.pool || !mayLeave(board, other) || evened + gain(board, other, back) <= ROUNDING) continue;
      counts.add(other, -1);
      counts.add(to, 1);
      const fits = counts.room(back) > 0;
      counts.add(to, -1);
      if (fits && counts.room(to) > 0) {
        counts.add(back, 1);
        return true;
      }
      counts.add(other, 1);
    }
  }
  return false;
}

function mayLeave({ problem, counts }: Board, column: number): boolean {
  return counts.values[column]! > problem.columns[column]!.present;
}

/** How much more evenly its deployment stands once a replica has gone: by how much the sum of replicas² / hosts over pools falls. */
function gain(board: Board, from: number, to: number): number {
  const { problem } = board;
  if (problem.wishes[problem.columns[from]!.wish]!.deployment.spec.placement.spread !== 'host') return 0;
  return (2 * standing(board, from) - 1) / board.hosts[from]! - (2 * standing(board, to) + 1) / board.hosts[to]!;
}

/** Replicas of a column's deployment on its pool. */
function standing({ problem, counts, ofWish }: Board, column: number): number {
  const { wish, pool } = problem.columns[column]!;
  return ofWish[wish]!.reduce((sum, i) => sum + (problem.columns[i]!.pool === pool ? counts.values[i]! : 0), 0);
}
