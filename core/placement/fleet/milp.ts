/** A mixed-integer linear program in plain values, and what solves one. The solver is passed in: `highs.ts` has the one in use. */

export interface MilpColumn {
  cost: number;
  lower: number;
  upper: number;
  integer: boolean;
}

export interface MilpRow {
  lower: number;
  upper: number;
  /** Column index and coefficient, each column once. */
  terms: readonly (readonly [column: number, coefficient: number])[];
}

/** Minimise the sum of cost · x subject to lower ≤ row ≤ upper, within the bounds of the columns. */
export interface Milp {
  columns: readonly MilpColumn[];
  rows: readonly MilpRow[];
}

export interface MilpOptions {
  /** Stops as soon as the solution is proven to be within this share of the optimum, */
  relativeGap: number;
  /** or within this of it. */
  absoluteGap: number;
  /** Nodes of the search tree; the same limit gives the same answer on every machine, unlike a time. */
  maxNodes: number;
  /** A solution to start from, one value a column. */
  start?: readonly number[] | undefined;
}

export type MilpSolution =
  /** `bound` is a proven lower bound on the cost of every solution. */
  { status: 'solved'; values: number[]; objective: number; bound: number } | { status: 'infeasible' };

/** @throws Error where the solver itself fails, which is a defect */
export type MilpSolver = (milp: Milp, options: MilpOptions) => MilpSolution;

/** The same without the demand for whole numbers: its optimum is a lower bound. */
export function relaxed(milp: Milp): Milp {
  return { ...milp, columns: milp.columns.map((c) => ({ ...c, integer: false })) };
}
