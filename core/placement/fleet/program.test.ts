/** Any counts that hosts have room for satisfy the program, and all that satisfy it fit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BareProblem, problemOf } from '../../../test/support/fleet-planning.ts';
import { assignGreedily, presentCounts } from './greedy.ts';
import { loadHighsSolver } from './highs.ts';
import { improve } from './local-search.ts';
import type { Milp } from './milp.ts';
import { type FleetProblem, shortfallOf } from './problem.ts';
import { fleetProgram, type ProgramGoal, programStart } from './program.ts';

const solver = await loadHighsSolver();
const RUNS = { numRuns: 60, seed: 11 };

const problems = fc
  .record({
    pools: fc.array(fc.record({ hosts: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 4 }), usd: price() }), {
      minLength: 1,
      maxLength: 3,
    }),
    wishes: fc.array(
      fc.record({
        demand: fc.double({ min: 0, max: 40, noNaN: true }),
        min: fc.integer({ min: 0, max: 3 }),
        more: fc.integer({ min: 1, max: 9 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    rates: fc.array(fc.double({ min: 0.2, max: 9, noNaN: true }), { minLength: 48, maxLength: 48 }),
    present: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 48, maxLength: 48 }),
    pair: fc.option(fc.tuple(fc.nat(3), fc.nat(3)), { freq: 2 }),
  })
  .map(({ pools, wishes, rates, present, pair }): { problem: FleetProblem; bare: BareProblem } => {
    const columns = wishes.flatMap((_, wish) =>
      pools.flatMap(({ hosts }, pool) =>
        [1, 2, 4, 8]
          .filter((width) => width <= Math.max(...hosts))
          .map((width, k) => ({ wish, pool, width, rate: rates[(wish * 3 + pool) * 4 + k]! * width ** 0.9 })),
      ),
    );
    const apart = (pair ? [[Math.min(...pair), Math.max(...pair)] as [number, number]] : []).filter(([, w]) => w < wishes.length);
    const bare = { pools, wishes: wishes.map(({ demand, min, more }) => ({ demand, min, max: min + more })), columns, apart };
    return { bare, problem: problemOf({ ...bare, columns: withPresent(bare, present) }) };
  });

function price() {
  return fc.double({ min: 0.3, max: 6, noNaN: true });
}

/** As many of these as hosts have room for, the widest first. */
function withPresent({ pools, columns }: BareProblem, wanted: readonly number[]): BareProblem['columns'] {
  const free = pools.map((p) => [...p.hosts]);
  const present = columns.map(() => 0);
  for (const i of columns.map((_, i) => i).sort((a, b) => columns[b]!.width - columns[a]!.width)) {
    const { pool, width } = columns[i]!;
    for (let n = 0; n < wanted[i]!; n++) {
      const host = free[pool]!.findIndex((left) => left >= width);
      if (host < 0) break;
      free[pool]![host]! -= width;
      present[i]!++;
    }
  }
  return columns.map((c, i) => ({ ...c, present: present[i]! }));
}

/** Rows and bounds that a solution violates. */
function violations({ columns, rows }: Milp, values: readonly number[]): string[] {
  const off = (value: number, lower: number, upper: number) => value < lower - 1e-6 || value > upper + 1e-6;
  return [
    ...columns.flatMap((c, i) => (off(values[i]!, c.lower, c.upper) ? [`column ${i}: ${values[i]} not in ${c.lower}..${c.upper}`] : [])),
    ...rows.flatMap((r, i) => {
      const sum = r.terms.reduce((total, [column, coefficient]) => total + coefficient * values[column]!, 0);
      return off(sum, r.lower, r.upper) ? [`row ${i}: ${sum} not in ${r.lower}..${r.upper}`] : [];
    }),
  ];
}

/** The widest first, each on the host with the least room that has enough: exact for powers of two. */
function fits({ pools, columns }: FleetProblem, counts: readonly number[]): boolean {
  return pools.every(({ hosts }, p) => {
    const free = hosts.map((h) => h.accelerators.length);
    const widths = columns.flatMap((c, i) => (c.pool === p ? Array.from({ length: counts[i]! }, () => c.width) : []));
    return widths
      .sort((a, b) => b - a)
      .every((width) => {
        const host = free.findIndex((left) => left >= width);
        if (host >= 0) free[host]! -= width;
        return host >= 0;
      });
  });
}

const cost = (problem: FleetProblem, counts: readonly number[], move: (i: number) => number) =>
  problem.columns.reduce((sum, c, i) => sum + c.usdPerHour * counts[i]! + move(i) * Math.max(0, counts[i]! - c.present), 0);
const totals = (problem: FleetProblem, counts: readonly number[]) => {
  const short = shortfallOf(problem, counts);
  return {
    unmetPerSecond: short.reduce((sum, s) => sum + s.unmetPerSecond, 0),
    missingReplicas: short.reduce((sum, s) => sum + s.missingReplicas, 0),
  };
};
const move = (i: number) => 0.1 + 0.05 * (i % 4);
const nothing = (problem: FleetProblem) => problem.columns.map(() => 0);

describe('greedy and local search', () => {
  it('fill no host beyond its room, and no deployment beyond its maximum', () => {
    fc.assert(
      fc.property(problems, ({ problem }) => {
        for (const begun of [nothing(problem), presentCounts(problem)]) {
          const counts = assignGreedily(problem, begun, move);
          const greedy = [...counts.values];
          const searched = [...improve(problem, counts, move).values];
          for (const values of [greedy, searched]) {
            expect(fits(problem, values)).toBe(true);
            problem.wishes.forEach(({ maxReplicas }, w) => {
              expect(values.reduce((sum, n, i) => sum + (problem.columns[i]!.wish === w ? n : 0), 0)).toBeLessThanOrEqual(maxReplicas);
            });
            expect(values.every((n) => Number.isInteger(n) && n >= 0)).toBe(true);
          }
          expect(cost(problem, searched, move)).toBeLessThanOrEqual(cost(problem, greedy, move) + 1e-9);
          expect(totals(problem, searched).unmetPerSecond).toBeLessThanOrEqual(totals(problem, greedy).unmetPerSecond + 1e-9);
          expect(totals(problem, searched).missingReplicas).toBeLessThanOrEqual(totals(problem, greedy).missingReplicas);
        }
      }),
      RUNS,
    );
  });

  it('take the replica that serves what is left for the least money, not the one that is cheapest in bulk', () => {
    const columns = [
      { wish: 0, pool: 0, width: 1, rate: 2 },
      { wish: 0, pool: 1, width: 1, rate: 10 },
    ];
    const pools = [
      { hosts: [8], usd: 1 },
      { hosts: [8], usd: 3 },
    ];
    const taken = (demand: number) => {
      const problem = problemOf({ pools, columns, wishes: [{ demand }] });
      return assignGreedily(problem, nothing(problem), () => 0).values;
    };
    expect(taken(1)).toEqual([1, 0]);
    expect(taken(9)).toEqual([0, 1]);
    expect(taken(22)).toEqual([1, 2]);
  });

  it('keep of what is there only what is needed', () => {
    const columns = [{ wish: 0, pool: 0, width: 1, rate: 2, present: 5 }];
    const kept = (demand: number, min = 0) =>
      presentCounts(problemOf({ pools: [{ hosts: [8], usd: 1 }], columns, wishes: [{ demand, min }] }));
    expect(kept(0)).toEqual([0]);
    expect(kept(3)).toEqual([2]);
    expect(kept(3, 4)).toEqual([4]);
    expect(kept(99)).toEqual([5]);
  });
});

describe('the program', () => {
  const goals = (problem: FleetProblem, counts: readonly number[]): ProgramGoal[] => [
    { minimise: 'shortage', moveUsdPerHour: move },
    { minimise: { moneyWithin: totals(problem, counts) }, moveUsdPerHour: move },
  ];

  it('takes as a start whatever greedy finds, at its cost', () => {
    fc.assert(
      fc.property(problems, ({ problem }) => {
        const counts = assignGreedily(problem, nothing(problem), move).values;
        for (const goal of goals(problem, counts)) {
          const program = fleetProgram(problem, goal);
          const start = programStart(problem, goal, counts);
          expect(start).toHaveLength(program.columns.length);
          expect(violations(program, start)).toEqual([]);
          const objective = program.columns.reduce((sum, c, i) => sum + c.cost * start[i]!, 0);
          if (goal.minimise !== 'shortage') expect(objective).toBeCloseTo(cost(problem, counts, move), 6);
        }
      }),
      RUNS,
    );
  });

  it('takes what is there as a start, where nothing may move', () => {
    fc.assert(
      fc.property(problems, ({ problem: given }) => {
        const problem = { ...given, mostMoves: 0 };
        const counts = presentCounts(problem, 'all');
        for (const goal of goals(problem, counts)) {
          expect(violations(fleetProgram(problem, goal), programStart(problem, goal, counts))).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  it('has no solution that hosts have no room for, and none better than what it is solved to', () => {
    fc.assert(
      fc.property(problems, ({ problem }) => {
        const greedy = assignGreedily(problem, nothing(problem), move).values;
        for (const goal of goals(problem, greedy)) {
          const program = fleetProgram(problem, goal);
          const solution = solver(program, { relativeGap: 0, absoluteGap: 1e-9, maxNodes: 2000 });
          if (solution.status === 'infeasible') throw new Error('greedy found a solution');
          const counts = solution.values.slice(0, problem.columns.length);
          expect(violations(program, solution.values)).toEqual([]);
          expect(fits(problem, counts)).toBe(true);
          expect(solution.bound).toBeLessThanOrEqual(solution.objective);
          const start = programStart(problem, goal, greedy);
          expect(solution.bound).toBeLessThanOrEqual(program.columns.reduce((sum, c, i) => sum + c.cost * start[i]!, 0) + 1e-6);
        }
      }),
      { numRuns: 30, seed: 11 },
    );
  });

  it('prices no moves while it looks for the least shortage', () => {
    const columns = [
      { wish: 0, pool: 0, width: 1, rate: 2, present: 1 },
      { wish: 0, pool: 1, width: 1, rate: 2.05 },
    ];
    const pools = [
      { hosts: [1], usd: 1 },
      { hosts: [1], usd: 1 },
    ];
    const problem = { ...problemOf({ pools, columns, wishes: [{ demand: 2.02 }] }), mostMoves: 1 };
    const program = fleetProgram(problem, { minimise: 'shortage', moveUsdPerHour: () => 5 });
    expect(solver(program, { relativeGap: 0, absoluteGap: 0, maxNodes: 100 })).toMatchObject({ objective: 0 });
  });
});
