/**
 * The last minutes as a forecast takes them. A bucket without arrivals is empty where a gateway could have told of them, and unknown where
 * none could: an outage of metrics is not an outage of clients.
 *
 * Arrivals become known when their requests end. The newest buckets, whose requests are still being answered, have at least what is counted;
 * so have those since a gateway fell silent that may well be serving.
 */
import { quantile } from '../../domain/statistics.ts';
import type { ArrivalBucket, RecentBucket } from './arrivals.ts';

/** A bucket in which something arrived. */
export interface CountedBucket extends ArrivalBucket {
  /** 95 % of its requests ended within this; null where none says. */
  endedWithinMs: number | null;
}

/** A gateway that delivers what it observes, and the time that it has done so without a break; one that ended in order is none. */
export interface ReportingGateway {
  sinceMs: number;
  untilMs: number;
}

export interface RecentInput {
  /** One deployment's. */
  counted: readonly CountedBucket[];
  /** Starts of the buckets in which anything arrived, for whomever. */
  anyArrivals: ReadonlySet<number>;
  gateways: readonly ReportingGateway[];
  bucketSeconds: number;
  windowMs: number;
  nowMs: number;
}

/** A gateway not heard for so long is silent. */
export const SILENT_AFTER_MS = 10_000;
/** What ended is delivered within this. */
const DELIVERY_MS = 5000;
/** Share of the buckets whose requests end as soon as is reckoned with. */
const SETTLED = 0.75;

const NO_LENGTHS = { requests: 0, tokens: 0, squares: 0 };

/** The known buckets of the window, in the order of time. */
export function recentBuckets({ counted, anyArrivals, gateways, bucketSeconds, windowMs, nowMs }: RecentInput): RecentBucket[] {
  const widthMs = bucketSeconds * 1000;
  const byStart = new Map(counted.map(({ endedWithinMs: _, ...bucket }) => [bucket.bucketStartMs, bucket]));
  const settledBefore = nowMs - DELIVERY_MS - settlingMs(counted, windowMs);
  const buckets: RecentBucket[] = [];
  for (let start = Math.ceil((nowMs - windowMs) / widthMs) * widthMs; start + widthMs <= nowMs; start += widthMs) {
    const end = start + widthMs;
    const heard = gateways.some((g) => g.sinceMs <= start && end <= g.untilMs + SILENT_AFTER_MS);
    if (!heard && !anyArrivals.has(start)) continue;
    const silent = gateways.some((g) => g.untilMs + SILENT_AFTER_MS < end);
    const bucket = byStart.get(start) ?? { bucketStartMs: start, arrivals: 0, input: NO_LENGTHS, output: NO_LENGTHS };
    buckets.push({ ...bucket, complete: end <= settledBefore && !silent });
  }
  return buckets;
}

/** How long after its end nearly all of a bucket is known. */
function settlingMs(counted: readonly CountedBucket[], windowMs: number): number {
  const times = counted.flatMap((b) => b.endedWithinMs ?? []);
  return Math.min(quantile(times, SETTLED), windowMs / 2);
}
