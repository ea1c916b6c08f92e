/**
 * What will be asked: a moving average over arrivals. Arrivals, never completions: an overloaded fleet completes less than it is
 * asked for, and a forecast from completions would take away replicas just when they are short.
 */
import type { Demand } from '../domain/deployment.ts';

/** What gateways saw of one deployment in one span of time. */
export interface ArrivalBucket {
  seconds: number;
  /** Requests that arrived, whatever became of them; null where nothing was measured (silence of the meters, not of the clients). */
  arrivals: number | null;
  /** Means over what arrived; null where nothing tells. */
  inputTokens: number | null;
  outputTokens: number | null;
}

/** With less than this measured, the last known demand is the better guess. */
const LEAST_MEASURED_SECONDS = 30;

/**
 * The demand to plan for, from the buckets of the recent past. Where the meters were silent, the `known` demand (what was observed
 * last, or else declared) stays in force: an outage of metrics must not look like an outage of clients.
 */
export function forecastDemand(buckets: readonly ArrivalBucket[], known: Demand): Demand {
  const measured = buckets.filter((b): b is ArrivalBucket & { arrivals: number } => b.arrivals !== null);
  const seconds = measured.reduce((sum, b) => sum + b.seconds, 0);
  if (seconds < LEAST_MEASURED_SECONDS) return known;
  return {
    requestsPerSecond: measured.reduce((sum, b) => sum + b.arrivals, 0) / seconds,
    inputTokens: meanLength(measured, 'inputTokens') ?? known.inputTokens,
    outputTokens: meanLength(measured, 'outputTokens') ?? known.outputTokens,
  };
}

function meanLength(buckets: readonly (ArrivalBucket & { arrivals: number })[], field: 'inputTokens' | 'outputTokens'): number | null {
  let tokens = 0;
  let requests = 0;
  for (const bucket of buckets) {
    const mean = bucket[field];
    if (mean === null) continue;
    tokens += mean * bucket.arrivals;
    requests += bucket.arrivals;
  }
  return requests > 0 ? tokens / requests : null;
}
