/**
 * What will be asked: a moving average over arrivals. Arrivals, never completions: an overloaded fleet completes less than it is
 * asked for, and a forecast from completions would take replicas away just when they are short.
 */
import type { Demand } from '../domain/deployment.ts';

/** What arrived for one deployment in one span of time, whatever became of it. Spans without arrivals have no bucket. */
export interface ArrivalBucket {
  bucketStartMs: number;
  arrivals: number;
  /** Mean lengths of these requests; null where nothing told. */
  inputTokens: number | null;
  outputTokens: number | null;
}

export interface ForecastInput {
  /** In force where too little was observed: an outage of metrics must not look like an outage of clients. */
  declared: Demand;
  /** The recent past, one deployment's. */
  buckets: readonly ArrivalBucket[];
  bucketSeconds: number;
  nowMs: number;
}

/** With less than this observed, the declared demand is the better guess. */
const LEAST_OBSERVED_SECONDS = 60;

/**
 * The demand to plan for. Only whole buckets count: the first may have been cut by the window or by the start of the traffic, the
 * last is not over. Gaps between are spans without arrivals.
 */
export function forecastDemand({ declared, buckets, bucketSeconds, nowMs }: ForecastInput): Demand {
  const bucketMs = bucketSeconds * 1000;
  const first = Math.min(...buckets.map((b) => b.bucketStartMs)) + bucketMs;
  const last = Math.floor(nowMs / bucketMs) * bucketMs;
  const observedSeconds = (last - first) / 1000;
  if (!(observedSeconds >= LEAST_OBSERVED_SECONDS)) return declared;
  const whole = buckets.filter((b) => b.bucketStartMs >= first && b.bucketStartMs < last);
  return {
    requestsPerSecond: whole.reduce((sum, b) => sum + b.arrivals, 0) / observedSeconds,
    inputTokens: meanLength(whole, (b) => b.inputTokens) ?? declared.inputTokens,
    outputTokens: meanLength(whole, (b) => b.outputTokens) ?? declared.outputTokens,
  };
}

function meanLength(buckets: readonly ArrivalBucket[], lengthOf: (b: ArrivalBucket) => number | null): number | null {
  let tokens = 0;
  let requests = 0;
  for (const bucket of buckets) {
    const length = lengthOf(bucket);
    if (length === null) continue;
    tokens += length * bucket.arrivals;
    requests += bucket.arrivals;
  }
  return requests > 0 ? tokens / requests : null;
}
