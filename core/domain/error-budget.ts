/**
 * Error budgets: how many requests may miss their targets, and how fast they do. Source: The Site Reliability Workbook (O'Reilly 2018),
 * chapters 2 and 5.
 */

/** What may be missed of so many requests, and what is left of it. */
export interface ErrorBudget {
  /** Requests that may miss: (1 − target) of all. */
  allowed: number;
  /** Share of it that is left: 1 where none missed, below 0 where more missed than may. */
  remaining: number;
}

/** @param targetAttainment share that has to attain its targets, 0 to 1 @returns null without requests, or where none may miss */
export function errorBudget(targetAttainment: number, requests: number, missed: number): ErrorBudget | null {
  // 1 − 0.99 is not 0.01 in binary: six digits of a request are enough for everybody.
  const allowed = Math.round((1 - targetAttainment) * requests * 1e6) / 1e6;
  return allowed > 0 ? { allowed, remaining: 1 - missed / allowed } : null;
}

/** How many times as fast as allowed the budget is spent: at 1 it lasts exactly as long as its window. null as above. */
export function burnRate(targetAttainment: number, requests: number, missed: number): number | null {
  const budget = errorBudget(targetAttainment, requests, missed);
  return budget && missed / budget.allowed;
}
