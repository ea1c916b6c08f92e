/** Makes an assignment cheaper by exchanging a few replicas of one shape for a few of another, as long as nobody is served less. */
import type { Counts } from './counts.ts';
import type { FleetProblem } from './problem.ts';

/** So many replicas of one column for so many of another of the same deployment. */
const EXCHANGES: readonly (readonly [out: number, into: number])[] = [
  [1, 0],
  [1, 1],
  [1, 2],
  [2, 1],
  [1, 3],
  [3, 1],
  [2, 3],
  [3, 2],
];
const ROUNDS = 50;

export function improve(problem: FleetProblem, counts: Counts, moveUsdPerHour: (column: number) => number): Counts {
  const { columns } = problem;
  const ofWish = problem.wishes.map((_, w) => columns.flatMap((c, i) => (c.wish === w ? [i] : [])));
  for (let round = 0; round < ROUNDS; round++) {
    let better = false;
    for (const [out, { wish }] of columns.entries()) {
      if (counts.values[out] === 0) continue;
      for (const into of ofWish[wish]!) better = exchangeOnce(problem, counts, out, into, moveUsdPerHour) || better;
    }
    if (!better) break;
  }
  return counts;
}

function exchangeOnce({ columns }: FleetProblem, counts: Counts, out: number, into: number, move: (column: number) => number): boolean {
  const wish = columns[out]!.wish;
  const cost = (i: number) => columns[i]!.usdPerHour * counts.values[i]! + move(i) * Math.max(0, counts.values[i]! - columns[i]!.present);
  for (const [less, more] of EXCHANGES) {
    if (out === into ? more > 0 : false) continue;
    if (counts.values[out]! < less) continue;
    const before = { unmet: counts.unmet(wish), missing: counts.missing(wish), usd: cost(out) + (out === into ? 0 : cost(into)) };
    counts.add(out, -less);
    const fits = counts.room(into) >= more;
    if (fits) counts.add(into, more);
    const usd = cost(out) + (out === into ? 0 : cost(into));
    if (fits && usd < before.usd - 1e-9 && counts.unmet(wish) <= before.unmet && counts.missing(wish) <= before.missing) return true;
    if (fits) counts.add(into, -more);
    counts.add(out, less);
  }
  return false;
}
