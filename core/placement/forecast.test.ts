import { describe, expect, it } from 'vitest';
import { forecastDemand } from './forecast.ts';

const declared = { requestsPerSecond: 6, inputTokens: 1000, outputTokens: 200 };
const bucket = (start: number, arrivals: number, inputTokens: number | null = 500, outputTokens: number | null = 50) => ({
  bucketStartMs: start * 1000,
  arrivals,
  inputTokens,
  outputTokens,
});

describe('forecastDemand', () => {
  it('averages arrivals over whole buckets', () => {
    // The first bucket may be cut, the one at 120 is not over: 60 arrivals in 90 s count.
    const buckets = [bucket(0, 5), bucket(30, 20), bucket(60, 10), bucket(90, 30), bucket(120, 99)];
    const demand = forecastDemand({ declared, buckets, bucketSeconds: 30, nowMs: 130_000 });
    expect(demand).toEqual({ requestsPerSecond: 60 / 90, inputTokens: 500, outputTokens: 50 });
  });

  it('counts a gap as time without arrivals', () => {
    const buckets = [bucket(0, 5), bucket(30, 30)];
    expect(forecastDemand({ declared, buckets, bucketSeconds: 30, nowMs: 150_000 }).requestsPerSecond).toBe(30 / 120);
  });

  it('weighs lengths by arrivals, and keeps the declared where nothing tells', () => {
    const buckets = [bucket(0, 1), bucket(30, 30, 100, null), bucket(60, 10, 500, null)];
    const demand = forecastDemand({ declared, buckets, bucketSeconds: 30, nowMs: 90_000 });
    expect(demand.inputTokens).toBe(200);
    expect(demand.outputTokens).toBe(200);
  });

  it.each([
    ['nothing arrived or nothing was measured', []],
    ['traffic has only begun', [bucket(90, 100)]],
  ])('keeps the declared demand where %s', (_, buckets) => {
    expect(forecastDemand({ declared, buckets, bucketSeconds: 30, nowMs: 120_000 })).toEqual(declared);
  });
});
