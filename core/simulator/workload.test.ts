import { existsSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { traceParser } from './traces/trace.ts';
import { CHAT_TRACE, chatWorkload, type WorkloadOptions, type WorkloadRequest } from './workload.ts';

function take(count: number, options: WorkloadOptions): WorkloadRequest[] {
  const stream = chatWorkload(options);
  return Array.from({ length: count }, () => stream.next().value);
}

type Lengths = Pick<WorkloadRequest, 'arrivalMs' | 'inputTokens' | 'outputTokens'>;

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: number[]) => {
  const center = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - center) ** 2)));
};
const quantile = (values: number[], q: number) => [...values].sort((a, b) => a - b)[Math.floor(q * values.length)]!;
const gaps = (requests: Lengths[]) => requests.slice(1).map((r, i) => r.arrivalMs - requests[i]!.arrivalMs);

/** Variance over mean of the counts in windows: 1 for a Poisson process at every width. */
function dispersion(requests: Lengths[], windowMs: number): number {
  const counts = new Array<number>(Math.floor(requests.at(-1)!.arrivalMs / windowMs)).fill(0);
  for (const { arrivalMs } of requests) {
    const window = Math.floor(arrivalMs / windowMs);
    if (window < counts.length) counts[window]!++;
  }
  return deviation(counts) ** 2 / mean(counts);
}

describe('chatWorkload', () => {
  const requests = take(150_000, { seed: 7 });

  it('has the rate and the mean lengths of the published trace', () => {
    expect(1000 / mean(gaps(requests)) / CHAT_TRACE.requestsPerSecond).toBeCloseTo(1, 1);
    expect(mean(requests.map((r) => r.inputTokens)) / 1155).toBeCloseTo(1, 1);
    expect(mean(requests.map((r) => r.outputTokens)) / 211).toBeCloseTo(1, 1);
    const isLength = (tokens: number, most: number) => Number.isInteger(tokens) && tokens >= 1 && tokens <= most;
    expect(requests.every((r) => isLength(r.inputTokens, CHAT_TRACE.input.most))).toBe(true);
    expect(requests.every((r) => isLength(r.outputTokens, CHAT_TRACE.output.most))).toBe(true);
  });

  it('arrives in order and in bursts', () => {
    expect(gaps(requests).every((gap) => gap >= 0)).toBe(true);
    expect(deviation(gaps(requests)) / mean(gaps(requests))).toBeGreaterThan(1.05);
    expect(dispersion(requests, 60_000)).toBeGreaterThan(8);
  });

  it('mixes classes by their shares', () => {
    const share = (name: string) => requests.filter((r) => r.class === name).length / requests.length;
    expect(share('interactive')).toBeCloseTo(0.6, 1);
    expect(share('standard')).toBeCloseTo(0.25, 1);
    expect(share('batch')).toBeCloseTo(0.15, 1);
  });

  it('is the same for the same seed, another for another, and lengths do not depend on the class mix', () => {
    expect(take(100, { seed: 7 })).toEqual(requests.slice(0, 100));
    expect(take(100, { seed: 8 })).not.toEqual(requests.slice(0, 100));
    const one = take(100, { seed: 7, classes: [{ name: 'only', share: 3 }] });
    expect(one.map((r) => ({ ...r, class: '' }))).toEqual(requests.slice(0, 100).map((r) => ({ ...r, class: '' })));
    expect(one.every((r) => r.class === 'only')).toBe(true);
  });

  it('swings by day where asked, and survives a swing to nothing', () => {
    const day = take(20_000, { seed: 1, requestsPerSecond: 10, diurnal: { amplitude: 1, periodSeconds: 1000 } });
    const count = (from: number, to: number) => day.filter((r) => r.arrivalMs >= from * 1000 && r.arrivalMs < to * 1000).length;
    expect(count(150, 350)).toBeGreaterThan(4 * count(650, 850));
  });
});

const trace = new URL('../../../shared/data/traces/azure2023_conv.csv', import.meta.url);

describe('chatWorkload against the trace itself', () => {
  beforeEach((context) => context.skip(!existsSync(trace), 'there is no ../shared/data beside this checkout'));
  it('has its marginals and its burstiness', () => {
    const parser = traceParser('azure', 'trace');
    for (const line of readFileSync(trace, 'utf8').split('\n')) parser.line(line);
    const real = parser.end().requests;
    const drawn = take(real.length, { seed: 3 });
    const near = (of: (requests: Lengths[]) => number, factor: number) => {
      expect(of(drawn) / of(real)).toBeGreaterThan(1 / factor);
      expect(of(drawn) / of(real)).toBeLessThan(factor);
    };
    near((r) => mean(gaps(r)), 1.15);
    near((r) => deviation(gaps(r)) / mean(gaps(r)), 1.1);
    near((r) => dispersion(r, 1000), 1.15);
    near((r) => dispersion(r, 10_000), 1.5);
    for (const of of [(r: Lengths) => r.inputTokens, (r: Lengths) => r.outputTokens]) {
      near((r) => mean(r.map(of)), 1.05);
      near((r) => deviation(r.map(of)), 1.1);
      near((r) => quantile(r.map(of), 0.9), 1.25);
    }
  });
});
