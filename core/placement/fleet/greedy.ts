/** A first assignment: a part that is given, then again and again the replica that serves unmet demand at the least money. */
import { type Counts, openCounts } from './counts.ts';
import type { FleetProblem } from './problem.ts';

/** @param begun replicas to begin with, one number a column; what does not fit is left out */
export function assignGreedily(problem: FleetProblem, begun: readonly number[], moveUsdPerHour: (column: number) => number): Counts {
  const counts = openCounts(problem);
  for (const [i, replicas] of begun.entries()) counts.add(i, Math.min(replicas, counts.room(i)));
  const price = (i: number) => problem.columns[i]!.usdPerHour + moveUsdPerHour(i);
  for (;;) {
    const best = cheapest(problem, counts, price);
    if (best === undefined) return counts;
    const { requestsPerSecond, wish } = problem.columns[best]!;
    const whole = Math.floor(counts.unmet(wish) / requestsPerSecond);
    counts.add(best, Math.min(counts.room(best), Math.max(1, whole)));
  }
}

/** What is there, as far as it may stay; `needed`: and as far as it serves what is asked. */
export function presentCounts(problem: FleetProblem, which: 'all' | 'needed' = 'needed'): number[] {
  const counts = openCounts(problem);
  for (const [i, { present, wish, requestsPerSecond }] of problem.columns.entries()) {
    const needed = Math.max(Math.ceil(counts.unmet(wish) / requestsPerSecond), counts.missing(wish));
    counts.add(i, Math.min(present, which === 'all' ? present : needed, counts.room(i)));
  }
  return [...counts.values];
}

function cheapest({ columns }: FleetProblem, counts: Counts, price: (column: number) => number): number | undefined {
  let best: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [i, { wish, requestsPerSecond }] of columns.entries()) {
    const unmet = counts.unmet(wish);
    if ((unmet === 0 && counts.missing(wish) === 0) || counts.room(i) === 0) continue;
    const usdPerRequest = unmet > 0 ? price(i) / Math.min(requestsPerSecond, unmet) : price(i);
    if (usdPerRequest >= least) continue;
    least = usdPerRequest;
    best = i;
  }
  return best;
}
