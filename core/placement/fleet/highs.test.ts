import { describe, expect, it } from 'vitest';
import { loadHighsSolver } from './highs.ts';
import { type Milp, type MilpOptions, relaxed } from './milp.ts';

const solver = await loadHighsSolver();
const TO_THE_END: MilpOptions = { relativeGap: 0, absoluteGap: 0, maxNodes: 1000 };
const INFINITE = Number.POSITIVE_INFINITY;

/** At least 7 of items of 3 for 2, and of 5 for 3. */
const knapsack: Milp = {
  columns: [
    { cost: 2, lower: 0, upper: 9, integer: true },
    { cost: 3, lower: 0, upper: 9, integer: true },
  ],
  rows: [
    {
      lower: 7,
      upper: INFINITE,
      terms: [
        [0, 3],
        [1, 5],
      ],
    },
  ],
};

describe('the solver', () => {
  it('finds whole numbers, and proves them', () => {
    expect(solver(knapsack, TO_THE_END)).toEqual({ status: 'solved', values: [1, 1], objective: 5, bound: 5 });
  });

  it('bounds them by the program without whole numbers', () => {
    const { status, ...relaxation } = solver(relaxed(knapsack), TO_THE_END) as { status: 'solved'; objective: number; bound: number };
    expect(status).toBe('solved');
    expect(relaxation.objective).toBeCloseTo(4.2, 9);
    expect(relaxation.bound).toBeCloseTo(4.2, 9);
  });

  it('begins with what it is given, and is no worse than that', () => {
    const started = solver(knapsack, { ...TO_THE_END, maxNodes: 1, start: [0, 2] });
    expect(started).toMatchObject({ status: 'solved' });
    if (started.status === 'solved') {
      expect(started.objective).toBeLessThanOrEqual(6);
      expect(started.bound).toBeLessThanOrEqual(started.objective);
    }
  });

  it('gives the same answer again, whatever it solved between', () => {
    const first = solver(knapsack, TO_THE_END);
    solver({ ...knapsack, rows: [{ ...knapsack.rows[0]!, lower: 31 }] }, TO_THE_END);
    expect(solver(knapsack, TO_THE_END)).toEqual(first);
  });

  it('says what has no solution', () => {
    expect(solver({ ...knapsack, rows: [{ ...knapsack.rows[0]!, lower: 1000 }] }, TO_THE_END)).toEqual({ status: 'infeasible' });
  });

  it('solves a program without columns', () => {
    expect(solver({ columns: [], rows: [] }, TO_THE_END)).toEqual({ status: 'solved', values: [], objective: 0, bound: 0 });
    expect(solver({ columns: [], rows: [{ lower: 1, upper: INFINITE, terms: [] }] }, TO_THE_END)).toEqual({ status: 'infeasible' });
  });

  it('fails loudly on figures that are none', () => {
    expect(() => solver({ ...knapsack, rows: [{ ...knapsack.rows[0]!, lower: Number.NaN }] }, TO_THE_END)).toThrow();
  });
});
