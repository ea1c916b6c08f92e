/** Against brute force: every count of every column, with hosts filled by trying every order. */
import { describe, expect, it } from 'vitest';
import { type BareProblem, problemOf } from '../../../test/support/fleet-planning.ts';
import { assign } from './assign.ts';
import { loadHighsSolver } from './highs.ts';
import type { FleetProblem } from './problem.ts';

const solver = await loadHighsSolver();
const MOVE_USD = 0.3;

interface Best {
  missing: number;
  unmet: number;
  usd: number;
}

/** The best of all counts that hosts have room for: fewest missing, then least unmet, then least money, moves counted. */
function bruteForce(problem: FleetProblem, moveUsd: number): Best {
  const { wishes, columns } = problem;
  let best: Best = { missing: Number.POSITIVE_INFINITY, unmet: 0, usd: 0 };
  const counts = columns.map(() => 0);
  const visit = (i: number): void => {
    if (i === columns.length) {
      const found = judge(counts);
      if (found && isBetter(found, best)) best = found;
      return;
    }
    for (counts[i] = 0; counts[i]! <= 8 && fits(problem, counts.slice(0, i + 1)); counts[i]!++) visit(i + 1);
    counts[i] = 0;
  };
  const judge = (of: readonly number[]): Best | undefined => {
    const replicas = wishes.map((_, w) => columns.reduce((sum, c, i) => sum + (c.wish === w ? of[i]! : 0), 0));
    const served = wishes.map((_, w) => columns.reduce((sum, c, i) => sum + (c.wish === w ? of[i]! * c.requestsPerSecond : 0), 0));
    if (replicas.some((n, w) => n > wishes[w]!.maxReplicas)) return undefined;
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    return {
      missing: sum(wishes.map((w, i) => Math.max(0, w.minReplicas - replicas[i]!))),
      unmet: sum(wishes.map((w, i) => Math.max(0, w.requestsPerSecond - served[i]!))),
      usd: sum(columns.map((c, i) => of[i]! * c.usdPerHour + moveUsd * Math.max(0, of[i]! - c.present))),
    };
  };
  visit(0);
  return best;
}

function isBetter(a: Best, b: Best): boolean {
  if (a.missing !== b.missing) return a.missing < b.missing;
  if (Math.abs(a.unmet - b.unmet) > 1e-9) return a.unmet < b.unmet;
  return a.usd < b.usd - 1e-9;
}

/** Do the hosts of every pool hold these replicas, apart where they must be; and where moves are limited, do new ones fit what is free? */
function fits({ pools, columns, mostMoves, apart }: FleetProblem, counts: readonly number[]): boolean {
  const standing = (w: number, place: string) =>
    counts.reduce((sum, n, i) => sum + (columns[i]!.wish === w && pools[columns[i]!.pool]!.place === place ? n : 0), 0);
  const meet = (place: string) =>
    apart.some(([a, b]) => (a === b ? standing(a, place) > 1 : standing(a, place) > 0 && standing(b, place) > 0));
  if (pools.some((p) => meet(p.place))) return false;
  const widths = (p: number, of: (i: number) => number) =>
    counts.flatMap((_, i) => (columns[i]!.pool === p ? Array.from({ length: of(i) }, () => columns[i]!.width) : []));
  const isNew = (i: number) => Math.max(0, counts[i]! - columns[i]!.present);
  if (mostMoves !== undefined && counts.reduce((sum, _, i) => sum + isNew(i), 0) > mostMoves) return false;
  return pools.every(
    ({ hosts }, p) =>
      holds(
        hosts.map((h) => h.accelerators.length),
        widths(p, (i) => counts[i]!),
      ) &&
      (mostMoves === undefined ||
        holds(
          hosts.map((h) => h.free),
          widths(p, isNew),
        )),
  );
}

function holds(hosts: readonly number[], widths: readonly number[]): boolean {
  const [first, ...rest] = widths;
  if (first === undefined) return true;
  return hosts.some((left, h) => left >= first && holds(hosts.with(h, left - first), rest));
}

const FLEETS: Pick<BareProblem, 'pools' | 'columns'>[] = [
  // One kind, hosts of all widths.
  {
    pools: [{ hosts: [4, 2, 1], usd: 1 }],
    columns: [
      { wish: 0, pool: 0, width: 1, rate: 1 },
      { wish: 0, pool: 0, width: 2, rate: 2.3 },
      { wish: 1, pool: 0, width: 1, rate: 0.7 },
      { wish: 1, pool: 0, width: 4, rate: 3.9 },
    ],
  },
  // Two kinds; each deployment is better off on another one.
  {
    pools: [
      { hosts: [2, 1], usd: 1 },
      { hosts: [4], usd: 1.9 },
    ],
    columns: [
      { wish: 0, pool: 0, width: 1, rate: 1 },
      { wish: 0, pool: 1, width: 1, rate: 2.2 },
      { wish: 1, pool: 0, width: 2, rate: 1.1 },
      { wish: 1, pool: 1, width: 2, rate: 4 },
    ],
  },
  // Widths of 2 and 4 that split a host of 6 unevenly, and a host of 3.
  {
    pools: [{ hosts: [6, 3], usd: 1 }],
    columns: [
      { wish: 0, pool: 0, width: 4, rate: 5 },
      { wish: 0, pool: 0, width: 2, rate: 2.1 },
      { wish: 1, pool: 0, width: 2, rate: 1.7 },
      { wish: 1, pool: 0, width: 1, rate: 0.8 },
    ],
  },
];
const DEMANDS = [0.9, 2.4, 7];
const LIMITS = [{}, { min: 2, max: 3 }, { max: 2 }];

function expectOptimal(problem: FleetProblem, moveUsd: number): void {
  const best = bruteForce(problem, moveUsd);
  const found = assign(problem, solver, { exact: true, moveUsdPerHour: () => moveUsd });
  const moves = problem.columns.reduce((sum, c, i) => sum + moveUsd * Math.max(0, found.counts[i]! - c.present), 0);
  const usd = problem.columns.reduce((sum, c, i) => sum + c.usdPerHour * found.counts[i]!, 0) + moves;
  const near = (value: number) => expect.closeTo(value, 5);
  expect({ missing: found.shortage.missingReplicas, unmet: found.shortage.unmetPerSecond, usd }).toEqual({
    missing: best.missing,
    unmet: near(best.unmet),
    usd: near(best.usd),
  });
  expect(fits(problem, found.counts)).toBe(true);
  expect(found.lowerBoundWithMovesUsdPerHour).toBeCloseTo(usd, 4);
  expect(found.lowerBoundUsdPerHour).toBeLessThanOrEqual(usd - moves + 1e-6);
}

describe('assign', () => {
  it.each(FLEETS.map((fleet, i) => [i + 1, fleet] as const))('finds the least shortage, then the least money: fleet %i', (_, fleet) => {
    for (const first of [0, ...DEMANDS]) {
      for (const second of DEMANDS) {
        for (const limits of LIMITS) {
          expectOptimal(problemOf({ ...fleet, wishes: [{ demand: first, ...limits }, { demand: second }] }), 0);
        }
      }
    }
  });

  it.each([undefined, 0, 1, 2, 5])('counts what moves cost, within at most %s of them', (mostMoves) => {
    for (const fleet of FLEETS) {
      const columns = fleet.columns.map((c, i) => ({ ...c, present: i === 1 || i === 3 ? 1 : 0 }));
      for (const first of DEMANDS) {
        for (const second of DEMANDS) {
          const wishes = [{ demand: first, min: 1 }, { demand: second }];
          expectOptimal(problemOf({ ...fleet, columns, wishes, ...(mostMoves === undefined ? {} : { mostMoves }) }), MOVE_USD);
        }
      }
    }
  });

  it.each([
    [[[0, 1]]],
    [[[0, 0]]],
    [[[1, 1]]],
    [
      [
        [0, 0],
        [0, 1],
      ],
    ],
  ] as [number, number][][][])('keeps apart on single hosts: %j', (apart) => {
    const pools = [
      { hosts: [4], usd: 1 },
      { hosts: [2], usd: 1 },
      { hosts: [3], usd: 1.7 },
    ];
    const columns = [0, 1, 2].flatMap((pool) => [
      { wish: 0, pool, width: 1, rate: 1, present: pool === 1 ? 1 : 0 },
      { wish: 0, pool, width: 2, rate: 2.3 },
      { wish: 1, pool, width: 1, rate: 0.7 },
    ]);
    for (const first of DEMANDS) {
      for (const second of DEMANDS) {
        for (const limits of LIMITS) {
          const wishes = [{ demand: first }, { demand: second, ...limits }];
          expectOptimal(problemOf({ pools, columns, wishes, apart }), 0);
          expectOptimal(problemOf({ pools, columns, wishes, apart, mostMoves: 2 }), MOVE_USD);
        }
      }
    }
  });

  it('fills single hosts with widths that are no powers of two', () => {
    const columns = [
      { wish: 0, pool: 0, width: 3, rate: 3 },
      { wish: 0, pool: 0, width: 2, rate: 1.7 },
      { wish: 1, pool: 0, width: 2, rate: 2 },
    ];
    for (const hosts of [[5], [6], [7]]) {
      for (const first of DEMANDS) {
        for (const second of DEMANDS) {
          expectOptimal(problemOf({ pools: [{ hosts, usd: 1 }], columns, wishes: [{ demand: first }, { demand: second }] }), 0);
        }
      }
    }
  });

  it('bounds hosts of several prices by the cheapest of their accelerators', () => {
    const problem = problemOf({
      pools: [{ hosts: [2, 2], usd: 1 }],
      columns: [{ wish: 0, pool: 0, width: 1, rate: 1 }],
      wishes: [{ demand: 3 }],
    });
    problem.pools[0]!.hosts[1]!.usdPerHour = 1.5;
    const { counts, lowerBoundUsdPerHour } = assign(problem, solver, { exact: true });
    expect([counts, lowerBoundUsdPerHour]).toEqual([[3], expect.closeTo(3.5, 6)]);
  });

  it('bounds what it costs to run without the price of moves', () => {
    const columns = [
      { wish: 0, pool: 0, width: 1, rate: 1, present: 1 },
      { wish: 0, pool: 1, width: 1, rate: 1 },
    ];
    const pools = [
      { hosts: [1], usd: 1 },
      { hosts: [1], usd: 0.9 },
    ];
    const found = assign(problemOf({ pools, columns, wishes: [{ demand: 1 }] }), solver, { exact: true, moveUsdPerHour: () => MOVE_USD });
    expect(found).toMatchObject({
      counts: [1, 0],
      lowerBoundWithMovesUsdPerHour: expect.closeTo(1, 6),
      lowerBoundUsdPerHour: expect.closeTo(0.9, 6),
    });
  });

  it('bounds the least unmet demand of a short fleet from below', () => {
    for (const fleet of FLEETS) {
      const problem = problemOf({ ...fleet, wishes: [{ demand: 9 }, { demand: 9 }] });
      const { shortage, lowerBoundUnmetPerSecond } = assign(problem, solver, { exact: true, moveUsdPerHour: () => 0 });
      expect(shortage.unmetPerSecond).toBeGreaterThan(1);
      expect(lowerBoundUnmetPerSecond).toBeCloseTo(shortage.unmetPerSecond, 4);
      expect(lowerBoundUnmetPerSecond).toBeLessThanOrEqual(shortage.unmetPerSecond);
    }
  });

  it('places nothing where nothing is asked for, and nothing where there is nowhere to', () => {
    const nothing = { counts: [], lowerBoundUsdPerHour: 0, lowerBoundUnmetPerSecond: 0 };
    const options = { exact: false, moveUsdPerHour: () => 0 };
    expect(assign(problemOf({ pools: [], wishes: [], columns: [] }), solver, options)).toMatchObject(nothing);
    const nowhere = assign(problemOf({ pools: [], wishes: [{ demand: 3, min: 2 }], columns: [] }), solver, options);
    expect(nowhere).toMatchObject({ counts: [], shortage: { unmetPerSecond: 3, missingReplicas: 2 } });
    expect(nowhere.lowerBoundUnmetPerSecond).toBeCloseTo(3, 6);
  });
});
