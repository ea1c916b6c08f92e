/** How much is asked for now. */
import { mean } from '../../domain/statistics.ts';
import { arrivalsOf, type RecentBucket } from './arrivals.ts';

export interface Level {
  requestsPerSecond: number;
  /** What it was found from. */
  arrivals: number;
  seconds: number;
  /** The middle of that time, Unix ms. */
  atMs: number;
}

/** The newest complete buckets of so much time count. */
const LEVEL_SECONDS = 600;
/** With less than this there is no level. */
const LEAST_SECONDS = 60;
/** Rates over so much are compared: one such group that is far from the others does not move the level. */
const GROUP_SECONDS = 120;

/**
 * The midmean (the mean of the middle half, as robust as the median there and less noisy) of two-minute rates over the last ten minutes of
 * complete buckets; null where less than a minute of them is known.
 * @param buckets in the order of time
 */
export function levelOf(buckets: readonly RecentBucket[], bucketSeconds: number): Level | null {
  const used = buckets.filter((b) => b.complete).slice(-Math.floor(LEVEL_SECONDS / bucketSeconds));
  const seconds = used.length * bucketSeconds;
  if (seconds < LEAST_SECONDS) return null;
  const size = Math.max(1, Math.round(GROUP_SECONDS / bucketSeconds));
  const groups = Array.from({ length: Math.ceil(used.length / size) }, (_, i) => used.slice(-size * (i + 1), used.length - size * i));
  return {
    requestsPerSecond: midmean(groups.map((group) => arrivalsOf(group) / (group.length * bucketSeconds))),
    arrivals: arrivalsOf(used),
    seconds,
    atMs: mean(used.map((b) => b.bucketStartMs)) + bucketSeconds * 500,
  };
}

function midmean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4);
  return mean([...values].sort((a, b) => a - b).slice(cut, values.length - cut));
}
