/** The largest rate at which a share of the requests is still served within its SLO. */
import type { Run } from './run.ts';

export interface SearchOptions {
  attainment: number;
  /** Relative width of the interval at which to stop. */
  precision?: number;
  /** Where to look first. */
  startRate?: number;
}

export const SEARCH_PRECISION = 0.02;
/** Nothing is looked for beyond: where that attains, it is the answer. */
const LARGEST_RATE = 1e5;
const SMALLEST_RATE = 1e-3;

/**
 * Doubles or halves until the rate is between one that attains and one that does not, then bisects (geometrically). Attainment is taken to
 * fall with the rate; where noise makes it rise again, a rate above the first failure is not looked at. Where every rate attains, the
 * largest that was tried is the answer.
 * @param run at a rate; called about ten times
 * @returns the run at the largest rate found to attain, or null where none does
 */
export function largestRate<R extends Pick<Run, 'rateScale' | 'attainment' | 'searchedAttainment'>>(
  run: (rateScale: number) => R,
  { attainment, precision = SEARCH_PRECISION, startRate = 1 }: SearchOptions,
): R | null {
  let best: R | null = null;
  let failing = Number.POSITIVE_INFINITY;
  const attains = (rate: number): boolean => {
    const result = run(rate);
    if (result.attainment < attainment) {
      failing = rate;
      return false;
    }
    best = { ...result, searchedAttainment: attainment };
    return true;
  };
  let rate = startRate;
  if (attains(rate)) {
    while (rate < LARGEST_RATE && attains(Math.min(LARGEST_RATE, rate * 2))) rate *= 2;
  } else {
    do rate /= 2;
    while (rate > SMALLEST_RATE && !attains(rate));
  }
  let held = (best as R | null)?.rateScale;
  if (held === undefined || !Number.isFinite(failing)) return best;
  while (failing / held > 1 + precision) {
    const middle = Math.sqrt(failing * held);
    if (attains(middle)) held = middle;
  }
  return best;
}
