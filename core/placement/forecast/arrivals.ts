/** What arrived for one deployment, counted in buckets of time. All of it is in Unix time: a change of clocks moves nothing. */

/** Lengths of some requests, as sums that can be added up: tokens, and tokens squared. */
export interface LengthSums {
  requests: number;
  tokens: number;
  squares: number;
}

/** Requests that arrived within one bucket, whatever became of them: those shed or failed were asked for, too. */
export interface ArrivalBucket {
  bucketStartMs: number;
  arrivals: number;
  input: LengthSums;
  /** Of those whose answer's length is known. */
  output: LengthSums;
}

/** A bucket of the last minutes. */
export interface RecentBucket extends ArrivalBucket {
  /** Is it all that arrived? Else at least so many did: some are still being answered, or a gateway has not been heard. */
  complete: boolean;
}

/** Width of the buckets of the last weeks; each begins at a multiple of it. */
export const HISTORY_BUCKET_MS = 15 * 60_000;

/** Those that are over, in order, each once: of two for the same time the one with more in it. */
export function pastBuckets<T extends ArrivalBucket>(buckets: readonly T[], widthMs: number, nowMs: number): T[] {
  const byStart = new Map<number, T>();
  for (const bucket of buckets) {
    const known = byStart.get(bucket.bucketStartMs);
    if (bucket.bucketStartMs + widthMs <= nowMs && !(known && known.arrivals >= bucket.arrivals)) byStart.set(bucket.bucketStartMs, bucket);
  }
  return [...byStart.values()].sort((a, b) => a.bucketStartMs - b.bucketStartMs);
}

export const arrivalsOf = (buckets: readonly ArrivalBucket[]): number => buckets.reduce((sum, b) => sum + b.arrivals, 0);
