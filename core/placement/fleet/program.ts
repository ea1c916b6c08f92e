/** The fleet problem as a mixed-integer program. */
import { type Claim, claimed, claimsOf } from './apart.ts';
import type { Milp, MilpColumn, MilpRow } from './milp.ts';
import type { MovePrice } from './move-cost.ts';
import { type Pool, priceTiers, slots, takeable } from './pools.ts';
import { type FleetProblem, shortfallOf, totalDemand } from './problem.ts';

/** What may be left undone. */
export interface Shortage {
  /** Demand without a replica to serve it, requests a second over all wishes. */
  unmetPerSecond: number;
  /** Replicas that are missing to the minimum, over all wishes. */
  missingReplicas: number;
}

export interface ProgramGoal {
  /** Least shortage whatever it costs, or least money within a shortage. */
  minimise: 'shortage' | { moneyWithin: Shortage };
  /** Price of bringing up one replica of a column, USD an hour for as long as it should pay for itself. */
  moveUsdPerHour: MovePrice;
}

/**
 * Columns, in this order: replicas of each column of the problem (integer); for each wish the share of its demand left unmet; for each
 * wish the replicas missing to its minimum; for each column of the problem where it matters, the replicas that are new; for each claim of
 * those that keep apart, its hosts (integer); for each pool whose hosts differ in price, the accelerators taken at each price.
 *
 * Widths that are powers of two pack without loss: replicas of width w or more take at most floor(accelerators of a host / w) · w on
 * each host, for each w in use, and any counts within that do fit, the widest first, wherever one puts them.
 */
export function fleetProgram(problem: FleetProblem, { minimise, moveUsdPerHour }: ProgramGoal): Milp {
  const { wishes, columns } = problem;
  const within = minimise === 'shortage' ? null : minimise.moneyWithin;
  const unmetAt = columns.length;
  const missingAt = unmetAt + wishes.length;
  const movedAt = missingAt + wishes.length;
  const moving = movingColumns(problem, { minimise, moveUsdPerHour });
  const claimsAt = movedAt + moving.length;
  const claims = claimsOf(problem);
  const told = new Set(moving);
  // Where nothing is there, every replica is new.
  const money = (i: number) => columns[i]!.usdPerHour + (told.has(i) ? 0 : moveUsdPerHour(i));

  const counts = columns.map((c, i) => ({
    ...{ cost: within ? money(i) : 0, lower: 0, integer: true },
    upper: Math.min(wishes[c.wish]!.maxReplicas, slots(problem.pools[c.pool]!, c.width)),
  }));
  const unmet = wishes.map(({ requestsPerSecond: demand }) =>
    real(within ? 0 : demand, within && within.unmetPerSecond < demand ? within.unmetPerSecond / demand : 1),
  );
  const missing = wishes.map((w) =>
    real(within ? 0 : missingWeight(problem), Math.min(w.minReplicas, within?.missingReplicas ?? w.minReplicas)),
  );
  const moved = moving.map((i) => real(within ? moveUsdPerHour(i) : 0, Number.POSITIVE_INFINITY));
  const hosts = claims.map((c) => ({ cost: 0, lower: 0, upper: c.hosts, integer: true }));
  const tiers = within ? problem.pools.map(priceTiers) : [];

  const rows: MilpRow[] = [
    ...wishes.flatMap((_, w) => wishRows(problem, w, unmetAt + w, missingAt + w)),
    ...problem.pools.flatMap((_, p) => poolRows(problem, p, takeable, (i) => i)),
    ...(problem.mostMoves === undefined
      ? []
      : [
          ...problem.pools.flatMap((_, p) => poolRows(problem, p, freeOf, (i) => movedAt + i)),
          atMost(problem.mostMoves, movedAt, moving.length),
        ]),
    ...moving.map((i, n) => ({
      lower: Number.NEGATIVE_INFINITY,
      upper: columns[i]!.present,
      terms: [[i, 1] as const, [movedAt + n, -1] as const],
    })),
    ...(within
      ? [
          { lower: 0, upper: within.unmetPerSecond, terms: wishes.map((w, i) => [unmetAt + i, w.requestsPerSecond] as const) },
          atMost(within.missingReplicas, missingAt, wishes.length),
        ]
      : []),
    ...claims.flatMap((claim, c) => claimRows(claim, c, claimsAt)),
    ...tierRows(
      problem,
      tiers.map((t) => t.length),
      claimsAt + claims.length,
    ),
  ];
  const taken = tiers.flat().map((t) => real(t.extraUsdPerHour, t.accelerators));
  return { columns: [...counts, ...unmet, ...missing, ...moved, ...hosts, ...taken], rows };
}

/** What a replica missing to its minimum counts, requests a second: more than all the demand there is. */
export function missingWeight(problem: FleetProblem): number {
  return 1 + totalDemand(problem);
}

/** The whole solution of the program that these counts stand for. */
export function programStart(problem: FleetProblem, goal: ProgramGoal, counts: readonly number[]): number[] {
  const short = shortfallOf(problem, counts);
  const moved = movingColumns(problem, goal).map((i) => Math.max(0, counts[i]! - problem.columns[i]!.present));
  const unmet = short.map((s, w) => (s.unmetPerSecond > 0 ? s.unmetPerSecond / problem.wishes[w]!.requestsPerSecond : 0));
  const hosts = claimsOf(problem).map((claim) => claimed(claim, counts));
  const taken = goal.minimise === 'shortage' ? [] : problem.pools.flatMap((pool, p) => takenCheapestFirst(problem, pool, p, counts));
  return [...counts, ...unmet, ...short.map((s) => s.missingReplicas), ...moved, ...hosts, ...taken];
}

function takenCheapestFirst({ columns }: FleetProblem, pool: Pool, p: number, counts: readonly number[]): number[] {
  let left = columns.reduce((sum, c, i) => sum + (c.pool === p ? counts[i]! * c.width : 0), 0);
  return priceTiers(pool).map(({ accelerators }) => {
    const taken = Math.min(left, accelerators);
    left -= taken;
    return taken;
  });
}

/** Columns whose new replicas have a variable of their own. */
function movingColumns({ columns, mostMoves }: FleetProblem, { minimise, moveUsdPerHour }: ProgramGoal): number[] {
  if (mostMoves !== undefined) return columns.map((_, i) => i);
  return minimise === 'shortage' ? [] : columns.flatMap((c, i) => (c.present > 0 && moveUsdPerHour(i) > 0 ? [i] : []));
}

function real(cost: number, upper: number): MilpColumn {
  return { cost, lower: 0, upper, integer: false };
}

function atMost(upper: number, first: number, count: number): MilpRow {
  return { lower: 0, upper, terms: Array.from({ length: count }, (_, i) => [first + i, 1] as const) };
}

function wishRows({ wishes, columns }: FleetProblem, w: number, unmet: number, missing: number): MilpRow[] {
  const { requestsPerSecond: demand, minReplicas, maxReplicas } = wishes[w]!;
  const own = columns.flatMap((c, i) => (c.wish === w ? [i] : []));
  const replicas = own.map((i) => [i, 1] as const);
  // A replica that serves more than is asked counts as what is asked: the same integers satisfy it, and the relaxation is tighter.
  const served = own.map((i) => [i, Math.min(columns[i]!.requestsPerSecond, demand) / demand] as const);
  return [
    ...(demand > 0 ? [{ lower: 1, upper: Number.POSITIVE_INFINITY, terms: [...served, [unmet, 1] as const] }] : []),
    ...(minReplicas > 0 ? [{ lower: minReplicas, upper: Number.POSITIVE_INFINITY, terms: [...replicas, [missing, 1] as const] }] : []),
    { lower: 0, upper: maxReplicas, terms: replicas },
  ];
}

/** Accelerators that are free now. */
const freeOf = (pool: Pool, widths: readonly number[]) => takeable(pool, widths, (host) => host.free);

/** @param at the program's column for replicas of a column of the problem */
function poolRows(
  { pools, columns }: FleetProblem,
  p: number,
  room: (pool: Pool, widths: readonly number[]) => number,
  at: (column: number) => number,
): MilpRow[] {
  const own = columns.flatMap((c, i) => (c.pool === p ? [i] : []));
  const widths = [...new Set(own.map((i) => columns[i]!.width))];
  return widths.map((width) => ({
    lower: 0,
    upper: room(
      pools[p]!,
      widths.filter((w) => w >= width),
    ),
    terms: own.filter((i) => columns[i]!.width >= width).map((i) => [at(i), columns[i]!.width] as const),
  }));
}

/** @param first the program's column of the first claim */
function claimRows({ hosts, columns, rivals, alone }: Claim, c: number, first: number): MilpRow[] {
  const none = Number.NEGATIVE_INFINITY;
  return [
    ...columns.map(({ column, aHost }) => ({ lower: none, upper: 0, terms: [[column, 1] as const, [first + c, -aHost] as const] })),
    ...rivals.filter((r) => r > c).map((r) => ({ lower: none, upper: hosts, terms: [[first + c, 1] as const, [first + r, 1] as const] })),
    ...(alone ? [{ lower: none, upper: hosts, terms: columns.map(({ column }) => [column, 1] as const) }] : []),
  ];
}

/**
 * What a pool's replicas take is taken at some price: at the lowest first, as far as that goes.
 * @param tiers of each pool
 */
function tierRows({ columns }: FleetProblem, tiers: readonly number[], first: number): MilpRow[] {
  let at = first;
  return tiers.flatMap((count, p) => {
    const taken = Array.from({ length: count }, () => [at++, -1] as const);
    const terms = columns.flatMap((c, i) => (c.pool === p ? [[i, c.width] as const] : []));
    return count > 0 ? [{ lower: Number.NEGATIVE_INFINITY, upper: 0, terms: [...terms, ...taken] }] : [];
  });
}
