/** How long requests and their answers are. */
import type { LengthSums } from './arrivals.ts';

export interface Lengths {
  mean: number;
  /** Coefficient of variation; null where too few tell. */
  variation: number | null;
}

/** What came before counts for at most so many requests: lengths that change are followed, and few requests do not move them. */
const MOST_EARLIER_REQUESTS = 100;
const LEAST_FOR_VARIATION = 100;

/** Of the last minutes, steadied by those of the last weeks; null where nothing tells. */
export function lengthsOf(recent: readonly LengthSums[], history: readonly LengthSums[]): Lengths | null {
  const now = total(recent);
  const before = total(history);
  const weight = before.requests > 0 ? Math.min(1, MOST_EARLIER_REQUESTS / before.requests) : 0;
  const requests = now.requests + weight * before.requests;
  if (requests === 0) return null;
  const mean = (now.tokens + weight * before.tokens) / requests;
  const variance = (now.squares + weight * before.squares) / requests - mean ** 2;
  const variation = now.requests + before.requests < LEAST_FOR_VARIATION ? null : Math.sqrt(Math.max(0, variance)) / mean;
  return { mean, variation };
}

function total(sums: readonly LengthSums[]): LengthSums {
  const all = { requests: 0, tokens: 0, squares: 0 };
  for (const { requests, tokens, squares } of sums) {
    all.requests += requests;
    all.tokens += tokens;
    all.squares += squares;
  }
  return all;
}
