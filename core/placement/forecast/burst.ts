/** What to keep ready above what is expected: for minutes the rate lies above it, by chance and not by chance alone. */
import { normalQuantile } from '../distributions.ts';
import { arrivalsOf, type RecentBucket } from './arrivals.ts';
import type { Level } from './level.ts';

/** Share of the five-minute rates ahead that the forecast should cover. */
const COVERED = 0.95;
/** What lasts for seconds, engines and queues take. */
const SHORT_TERM_SECONDS = 300;
/** What came in the newest three minutes is forecast at least, counted or not: a flash crowd need not wait for the level. */
const NEWEST_SECONDS = 180;

export interface BurstInput {
  /** Requests a second without a margin. */
  expected: number;
  level: Level;
  /** Standard deviation of what the pattern says, requests a second. */
  seasonalDeviation: number;
  /** In the order of time. */
  buckets: readonly RecentBucket[];
  bucketSeconds: number;
}

/**
 * Requests a second above the expected, as the root of three squares: the highest five-minute rate lately above the level; how far Poisson
 * arrivals stray over five minutes, and over those that the level is from; how far the pattern does from day to day.
 */
export function burstMargin({ expected, level, seasonalDeviation, buckets, bucketSeconds }: BurstInput): number {
  const burst = Math.max(0, highestRate(buckets, bucketSeconds) - level.requestsPerSecond);
  const chance = Math.sqrt(expected / SHORT_TERM_SECONDS + expected / level.seconds);
  const margin = Math.hypot(burst, normalQuantile(COVERED) * Math.hypot(chance, seasonalDeviation));
  const newest = buckets.slice(-Math.round(NEWEST_SECONDS / bucketSeconds));
  return Math.max(margin, arrivalsOf(newest) / NEWEST_SECONDS - expected);
}

/** Over any five minutes on end of complete buckets. */
function highestRate(buckets: readonly RecentBucket[], bucketSeconds: number): number {
  const complete = buckets.filter((b) => b.complete);
  const size = Math.min(complete.length, Math.round(SHORT_TERM_SECONDS / bucketSeconds));
  const sums = complete.slice(size - 1).map((_, i) => arrivalsOf(complete.slice(i, i + size)));
  return Math.max(0, ...sums) / (size * bucketSeconds);
}
