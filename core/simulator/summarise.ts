/** From what became of every request to the figures of a run. */
import { quantileOfSorted } from '../domain/statistics.ts';
import type { ClusterResult } from './cluster.ts';
import type { Quantiles, Run, RunSeries } from './run.ts';
import type { BusySpan } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';

const DECILES = 10;
const CDF_POINTS = 200;
const UTILISATION_POINTS = 200;
/** A point of a utilisation curve stands for so many seconds, or a multiple of them. */
const UTILISATION_SECONDS = 1;

export interface RunOf {
  policy: string;
  predictor: string;
  rateScale: number;
  seed: number;
}

export function summarise(of: RunOf, requests: readonly SimulatedRequest[], { replicas, endMs }: ClusterResult): Run {
  const durationSeconds = endMs / 1000;
  const attained = requests.filter((r) => r.attained);
  const served = requests.filter((r) => r.outcome === 'served');
  const latencies = sortedLatencies(served);
  const deciles = inputDeciles(requests);
  const usdPerHour = replicas.reduce<number | null>(
    (sum, { spec }) => (sum === null || spec.usdPerHour === null ? null : sum + spec.usdPerHour),
    0,
  );
  return {
    ...of,
    requests: requests.length,
    durationSeconds,
    attainment: ratio(attained.length, requests.length),
    attainmentByClass: attainmentByClass(requests),
    attainmentByInputDecile: deciles.map((tenth) => ratio(tenth.filter((r) => r.attained).length, tenth.length)),
    inputDecileTokens: deciles.map((tenth) => tenth.at(-1)?.inputTokens ?? 0),
    goodputPerSecond: ratio(attained.length, durationSeconds),
    outputTokensPerSecond: ratio(
      served.reduce((sum, r) => sum + r.outputTokens, 0),
      durationSeconds,
    ),
    ttftMs: quantiles(latencies.ttftMs),
    tpotMs: quantiles(latencies.tpotMs),
    e2eMs: quantiles(latencies.e2eMs),
    shed: requests.filter((r) => r.outcome === 'shed').length,
    rejected: requests.filter((r) => r.outcome === 'rejected').length,
    preemptions: replicas.reduce((sum, r) => sum + r.preemptions, 0),
    longestWaitSeconds:
      requests.reduce((most, r) => Math.max(most, (Number.isNaN(r.releasedMs) ? r.endMs : r.releasedMs) - r.arrivalMs), 0) / 1000,
    gpuUtilisation: ratio(
      replicas.reduce((sum, r) => sum + r.busyMs, 0),
      endMs * replicas.length,
    ),
    costUsdPerThousandRequests:
      usdPerHour === null || served.length === 0 ? null : (((usdPerHour * durationSeconds) / 3600) * 1000) / served.length,
  };
}

export function series(requests: readonly SimulatedRequest[], { replicas, endMs }: ClusterResult): RunSeries {
  const { ttftMs, tpotMs, e2eMs } = sortedLatencies(requests.filter((r) => r.outcome === 'served'));
  const intervalSeconds = UTILISATION_SECONDS * Math.max(1, Math.ceil(endMs / 1000 / UTILISATION_SECONDS / UTILISATION_POINTS));
  return {
    ttftMs: ranks(ttftMs),
    tpotMs: ranks(tpotMs),
    e2eMs: ranks(e2eMs),
    utilisation: {
      intervalSeconds,
      replicas: replicas.map(({ id, busy }) => ({ id, shares: busyShares(busy, intervalSeconds * 1000, endMs) })),
    },
  };
}

/** Of each interval until `endMs`, the share in which it was busy. */
function busyShares(spans: readonly BusySpan[], intervalMs: number, endMs: number): number[] {
  const busyMs = new Array<number>(Math.max(1, Math.ceil(endMs / intervalMs))).fill(0);
  for (const { fromMs, untilMs } of spans) {
    for (let i = Math.floor(fromMs / intervalMs); i < busyMs.length && i * intervalMs < untilMs; i++) {
      busyMs[i]! += Math.min(untilMs, (i + 1) * intervalMs) - Math.max(fromMs, i * intervalMs);
    }
  }
  return busyMs.map((ms, i) => Math.min(1, ratio(ms, Math.min(intervalMs, endMs - i * intervalMs))));
}

function attainmentByClass(requests: readonly SimulatedRequest[]): Record<string, number> {
  const counts = new Map<string, { attained: number; all: number }>();
  for (const request of requests) {
    const count = counts.get(request.class) ?? { attained: 0, all: 0 };
    count.all++;
    if (request.attained) count.attained++;
    counts.set(request.class, count);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, c]) => [name, ratio(c.attained, c.all)]));
}

/** Tenths by input length; equal lengths by arrival. Of fewer than ten requests each is in several: no tenth is empty. */
function inputDeciles(requests: readonly SimulatedRequest[]): SimulatedRequest[][] {
  const sorted = [...requests].sort((a, b) => a.inputTokens - b.inputTokens || a.arrivalMs - b.arrivalMs);
  return Array.from({ length: DECILES }, (_, i) => {
    const from = Math.min(Math.round((i * sorted.length) / DECILES), sorted.length - 1);
    return sorted.slice(from, Math.max(from + 1, Math.round(((i + 1) * sorted.length) / DECILES)));
  });
}

function sortedLatencies(served: readonly SimulatedRequest[]): { ttftMs: Float64Array; tpotMs: Float64Array; e2eMs: Float64Array } {
  const sorted = (values: number[]) => Float64Array.from(values).sort();
  return {
    ttftMs: sorted(served.map((r) => r.ttftMs)),
    tpotMs: sorted(served.filter((r) => r.outputTokens > 1).map((r) => r.tpotMs)),
    e2eMs: sorted(served.map((r) => r.e2eMs)),
  };
}

export function quantiles(sorted: Float64Array): Quantiles {
  return { p50: quantileOfSorted(sorted, 0.5), p90: quantileOfSorted(sorted, 0.9), p99: quantileOfSorted(sorted, 0.99) };
}

/** To 0.01 ms: a report has thousands of them. */
function ranks(sorted: Float64Array): number[] {
  const points = Math.min(sorted.length, CDF_POINTS);
  return Array.from({ length: points }, (_, i) => {
    const rank = points === 1 ? 0 : Math.round((i * (sorted.length - 1)) / (points - 1));
    return Math.round(sorted[rank]! * 100) / 100;
  });
}

/** 0 of nothing. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
