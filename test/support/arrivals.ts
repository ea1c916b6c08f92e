/** Arrivals for tests of forecasts: buckets of a rate that depends on time, exact or with chance. */
import { type ArrivalBucket, HISTORY_BUCKET_MS, type RecentBucket } from '../../core/placement/forecast/arrivals.ts';
import { normal, type Random } from '../../core/simulator/random.ts';

export const BUCKET_SECONDS = 30;
const NO_LENGTHS = { requests: 0, tokens: 0, squares: 0 };

/** Requests a second at a time, Unix ms. */
export type RateAt = (ms: number) => number;

export const arrivalBucket = (bucketStartMs: number, arrivals: number): ArrivalBucket => ({
  bucketStartMs,
  arrivals,
  input: NO_LENGTHS,
  output: NO_LENGTHS,
});

/** The last `minutes` before `nowMs`, all known and complete. */
export function recentOf(rate: RateAt, nowMs: number, minutes = 30): RecentBucket[] {
  const width = BUCKET_SECONDS * 1000;
  return bucketsOf(rate, nowMs - minutes * 60_000, nowMs, width).map((b) => ({ ...b, complete: true }));
}

/** Whole quarters of an hour of the last `days` days. */
export function historyOf(rate: RateAt, nowMs: number, days: number): ArrivalBucket[] {
  return bucketsOf(rate, nowMs - days * 86_400_000, nowMs, HISTORY_BUCKET_MS);
}

function bucketsOf(rate: RateAt, fromMs: number, toMs: number, width: number): ArrivalBucket[] {
  const buckets: ArrivalBucket[] = [];
  for (let start = Math.ceil(fromMs / width) * width; start + width <= toMs; start += width) {
    buckets.push(arrivalBucket(start, (rate(start + width / 2) * width) / 1000));
  }
  return buckets;
}

/** How many come where so many are expected. */
export function poisson(random: Random, expected: number): number {
  if (expected > 50) return Math.max(0, Math.round(expected + Math.sqrt(expected) * normal(random)));
  let count = -1;
  for (let left = 1; left > Math.exp(-expected) || count < 0; count++) left *= random();
  return count;
}
