import { describe, expect, it } from 'vitest';
import { replicaSpec, simulatedRequest, simulateRequests } from '../../test/support/simulating.ts';
import type { ClusterResult } from './cluster.ts';
import type { BusySpan } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import { series, summarise } from './summarise.ts';

const OF = { policy: 'fcfs', predictor: 'oracle', rateScale: 2, seed: 3 };
const TIMES = { releasedMs: 0, firstTokenMs: 100, endMs: 1000, outcome: 'served' as const };
type Times = { releasedMs: number; firstTokenMs: number; endMs: number; outcome: SimulatedRequest['outcome'] };

function ended(parts: Parameters<typeof simulatedRequest>[0] = {}, times: Partial<Times> = {}): SimulatedRequest {
  return Object.assign(simulatedRequest(parts), { ...TIMES, ...times });
}
function cluster(endMs: number, replicas: { busyMs?: number; busy?: BusySpan[]; preemptions?: number; usdPerHour?: number | null }[]) {
  return {
    endMs,
    steps: 1,
    replicas: replicas.map(({ usdPerHour = null, ...r }, i) => ({
      id: `r${i}`,
      busyMs: 0,
      busy: [],
      preemptions: 0,
      spec: replicaSpec({ usdPerHour }),
      ...r,
    })),
  } as unknown as ClusterResult;
}
const one = cluster(10_000, [{}]);
const span = (fromMs: number, untilMs: number): BusySpan => ({ fromMs, untilMs });

describe('the figures of a run', () => {
  it('count what became of the requests', () => {
    const requests = [
      ended({ class: 'a', outputTokens: 10 }),
      ended({ class: 'a', outputTokens: 10 }, { firstTokenMs: 1001 }),
      ended({ class: 'b', arrivalMs: 2000 }, { outcome: 'shed', releasedMs: Number.NaN, firstTokenMs: Number.NaN, endMs: 9000 }),
      ended({ class: 'b', arrivalMs: 1000 }, { outcome: 'rejected', releasedMs: 4000, firstTokenMs: Number.NaN, endMs: Number.NaN }),
    ];
    expect(summarise(OF, requests, cluster(10_000, [{ preemptions: 2 }, { preemptions: 3 }]))).toMatchObject({
      ...OF,
      requests: 4,
      durationSeconds: 10,
      attainment: 0.25,
      attainmentByClass: { a: 0.5, b: 0 },
      goodputPerSecond: 0.1,
      outputTokensPerSecond: 2,
      shed: 1,
      rejected: 1,
      preemptions: 5,
      longestWaitSeconds: 7,
      costUsdPerThousandRequests: null,
    });
  });

  it.each([
    ['all targets at their limits', { ttftMs: 100, tpotMs: 100, e2eMs: 1000 }, 1],
    ['TTFT', { ttftMs: 99 }, 0],
    ['TPOT', { tpotMs: 99 }, 0],
    ['end to end', { e2eMs: 999 }, 0],
  ])('attain or miss by %s', (_, targets, attainment) => {
    expect(summarise(OF, [ended({ targets: { ttftMs: 5000, ...targets }, outputTokens: 10 })], one).attainment).toBe(attainment);
  });
  it('promise single tokens no TPOT', () => {
    const run = summarise(OF, [ended({ targets: { tpotMs: 1 }, outputTokens: 1 }, { endMs: 100 })], one);
    expect([run.attainment, run.tpotMs.p99, run.e2eMs.p99]).toEqual([1, 0, 100]);
  });
  it('leave the first token out of TPOT, and requests of a single one', () => {
    const run = summarise(OF, [ended({ outputTokens: 10 }), ended({ outputTokens: 1 }, { endMs: 100 })], one);
    expect(run.tpotMs).toEqual({ p50: 100, p90: 100, p99: 100 });
  });
  it('are quantiles by rank', () => {
    const requests = Array.from({ length: 100 }, (_, i) => ended({ id: String(i) }, { firstTokenMs: 100 - i }));
    expect(summarise(OF, requests, one).ttftMs).toEqual({ p50: 50, p90: 90, p99: 99 });
    expect(summarise(OF, requests.slice(0, 3), one).ttftMs).toEqual({ p50: 99, p90: 100, p99: 100 });
    expect(summarise(OF, requests.slice(0, 1), one).ttftMs).toEqual({ p50: 100, p90: 100, p99: 100 });
  });
  it('are attainments by tenths of the input lengths, the shortest first', () => {
    // Lengths 1 to 20 in no order; those of 13 and more miss.
    const requests = Array.from({ length: 20 }, (_, i) => ended({ inputTokens: 1 + ((i * 7) % 20) }));
    for (const r of requests) if (r.inputTokens >= 13) r.firstTokenMs = 1001;
    const run = summarise(OF, requests, one);
    expect(run.inputDecileTokens).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    expect(run.attainmentByInputDecile).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  });
  it('have tenths of any number of requests', () => {
    for (const count of [1, 9, 11, 25]) {
      const run = summarise(
        OF,
        Array.from({ length: count }, (_, i) => ended({ inputTokens: i + 1 })),
        one,
      );
      expect(run.attainmentByInputDecile).toHaveLength(10);
      expect(run.attainmentByInputDecile.every((share) => share >= 0 && share <= 1)).toBe(true);
      expect(Math.max(...run.inputDecileTokens)).toBe(count);
      expect(Math.min(...run.inputDecileTokens)).toBeGreaterThan(0);
      expect(Math.min(...run.attainmentByInputDecile)).toBe(1);
    }
  });
  it('share the cost of all engines among the served, and the time among the engines', () => {
    const served = Array.from({ length: 50 }, () => ended());
    const fleet = cluster(1_800_000, [
      { busyMs: 900_000, usdPerHour: 2 },
      { busyMs: 1_800_000, usdPerHour: 3 },
    ]);
    const run = summarise(OF, [...served, ended({}, { outcome: 'shed' })], fleet);
    expect(run.gpuUtilisation).toBeCloseTo(0.75, 12);
    expect(run.costUsdPerThousandRequests).toBeCloseTo(50, 9);
    expect(summarise(OF, served, cluster(1000, [{ usdPerHour: 2 }, {}])).costUsdPerThousandRequests).toBeNull();
    expect(summarise(OF, [ended({}, { outcome: 'rejected' })], fleet).costUsdPerThousandRequests).toBeNull();
  });
});

describe('the curves of a run', () => {
  it('are the sorted latencies, at most 200 of them from the first to the last', () => {
    const few = series([ended({}, { firstTokenMs: 30 }), ended({}, { firstTokenMs: 10 }), ended({}, { outcome: 'shed' })], one);
    expect(few.ttftMs).toEqual([10, 30]);
    const many = series(
      Array.from({ length: 1000 }, (_, i) => ended({}, { firstTokenMs: 1000 - i })),
      one,
    );
    expect(many.ttftMs).toHaveLength(200);
    expect([many.ttftMs[0], many.ttftMs.at(-1)]).toEqual([1, 1000]);
    expect(many.ttftMs).toEqual([...many.ttftMs].sort((a, b) => a - b));
  });
  it('show for each engine how busy it was, to the end', () => {
    const { utilisation } = series([ended()], cluster(2500, [{ busy: [span(0, 1250), span(2000, 2500)] }, { busy: [span(100, 600)] }]));
    expect(utilisation).toEqual({
      intervalSeconds: 1,
      replicas: [
        { id: 'r0', shares: [1, 0.25, 1] },
        { id: 'r1', shares: [0.5, 0, 0] },
      ],
    });
  });
  it('gather seconds where they are many', () => {
    const { utilisation } = series([ended()], cluster(1_000_000, [{ busy: [span(0, 500_000)] }]));
    expect(utilisation.intervalSeconds).toBe(5);
    expect(utilisation.replicas[0]!.shares).toHaveLength(200);
    expect(utilisation.replicas[0]!.shares.reduce((a, b) => a + b, 0)).toBe(100);
  });
  it('are as short for decades', () => {
    const [first, last] = [simulatedRequest(), simulatedRequest({ id: '1', arrivalMs: 1e12 })];
    const { utilisation } = series([first, last], simulateRequests([first, last]));
    const { shares } = utilisation.replicas[0]!;
    expect([shares.length, shares.filter((share) => share > 0).length]).toEqual([200, 2]);
  });
});
