import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../test/support/scheduling.ts';
import { remainingTokens } from './conditional-length.ts';
import { MemoryOutlook } from './memory-outlook.ts';
import type { QueuedRequest } from './types.ts';

const QUANTILE = 0.5;
let made = 0;
const request = (inputTokens: number, p50: number, producedTokens = 0, p90 = p50) =>
  queuedRequest({ id: String(made++), inputTokens, producedTokens, predictedOutput: { p50, p90 } });

/** What is there when each of them ends: between those, the sum only grows. */
function atEnds(requests: readonly QueuedRequest[]): number {
  const left = requests.map((r) => ({
    context: r.inputTokens + r.producedTokens,
    remaining: remainingTokens(r.predictedOutput, r.producedTokens, QUANTILE),
  }));
  let peak = 0;
  for (const { remaining: at } of left) {
    let tokens = 0;
    for (const { context, remaining } of left) if (remaining >= at) tokens += context + at;
    peak = Math.max(peak, tokens);
  }
  return peak;
}
/** The same of whole lengths, step by step: all grow by a token, and those that have all of theirs leave. */
function stepped(requests: readonly QueuedRequest[]): number {
  let left = requests.map((r) => ({
    tokens: r.inputTokens + r.producedTokens,
    remaining: Math.max(1, r.predictedOutput.p50 - r.producedTokens),
  }));
  let peak = 0;
  while (left.length > 0) {
    for (const one of left) {
      one.tokens += 1;
      one.remaining -= 1;
    }
    peak = Math.max(
      peak,
      left.reduce((sum, { tokens }) => sum + tokens, 0),
    );
    left = left.filter(({ remaining }) => remaining > 0);
  }
  return peak;
}

describe('the fullest that a KV cache will be', () => {
  const open = fc.record({
    inputTokens: fc.integer({ min: 1, max: 500 }),
    p50: fc.integer({ min: 1, max: 300 }),
    produced: fc.integer({ min: 0, max: 400 }),
    ratio: fc.constantFrom(1, 2, 5),
  });
  it('is what growing and ending in turn comes to, where lengths are known', () => {
    fc.assert(
      fc.property(fc.array(open, { maxLength: 20 }), open, (there, candidate) => {
        const requests = there.map((r) => request(r.inputTokens, r.p50, r.produced));
        const one = request(candidate.inputTokens, candidate.p50, candidate.produced);
        const { load } = replicaView({ id: 'a', decoding: requests });
        expect(new MemoryOutlook(load, QUANTILE).peakTokens(one, 0)).toBe(stepped([...requests, one]));
      }),
    );
  });
  it('is the same of expected lengths, where they are not', () => {
    fc.assert(
      fc.property(fc.array(open, { maxLength: 20 }), open, (there, candidate) => {
        const requests = there.map((r) => request(r.inputTokens, r.p50, r.produced, r.p50 * r.ratio));
        const one = request(candidate.inputTokens, candidate.p50, candidate.produced, candidate.p50 * candidate.ratio);
        const { load } = replicaView({ id: 'a', decoding: requests });
        expect(new MemoryOutlook(load, QUANTILE).peakTokens(one, 0)).toBeCloseTo(atEnds([...requests, one]), 6);
      }),
    );
  });
  it('is below the sum of what each will need, where they end one after the other', () => {
    const requests = [100, 200, 400, 800].map((tokens) => request(1000, tokens));
    const { load } = replicaView({ id: 'a', decoding: requests });
    const peak = new MemoryOutlook(load, QUANTILE).peakTokens(request(1000, 1600), 0);
    expect(peak).toBeLessThan(5000 + 3100);
    expect(peak).toBe(5000 + 5 * 100);
  });
  it('follows who comes and who goes', () => {
    const requests = [request(1000, 100), request(1000, 100)];
    const { load, stepTime } = replicaView({ id: 'a', decoding: requests });
    const outlook = new MemoryOutlook(load, QUANTILE);
    const candidate = request(500, 10);
    expect(outlook.peakTokens(candidate, 0)).toBe(Math.max(2500 + 30, 2000 + 200));
    load.end(requests[0]!, 0, stepTime);
    expect(outlook.peakTokens(candidate, 0)).toBe(Math.max(1500 + 20, 1000 + 100));
    load.open(request(3000, 50), 0, stepTime);
    expect(outlook.peakTokens(candidate, 0)).toBe(4500 + 30);
  });
  it('is less by what has come meanwhile, for one that comes later', () => {
    const running = Object.assign(request(1000, 100), { producedTokens: 0 });
    const { load } = replicaView({ id: 'a', decoding: [running] });
    const outlook = new MemoryOutlook(load, QUANTILE);
    const before = outlook.peakTokens(request(10, 300), 0);
    running.producedTokens = 60;
    expect(outlook.peakTokens(request(10, 300), 10_000)).toBe(before - 60);
  });
});
