import { describe, expect, it } from 'vitest';
import { steadyState } from './steady.ts';
import { workloadOf } from './workload.ts';

/** A step takes 10 ms, whatever the batch; prompt tokens take so much more. */
const workload = (promptTokenMs: number, kvCacheTokens = 1e9, lengths = { inputTokens: 1000, outputTokens: 100 }) =>
  workloadOf({ stepTime: { d0: 10, d1: 0, d2: 0, ra: 0, rc: promptTokenMs, rb: 0, o: 0 }, kvCacheTokens }, lengths, {});

describe('the steady state', () => {
  it('has as many sequences as come in the time of an answer, Poisson distributed', () => {
    // 20 a second for 100 steps of 10 ms. Rare long answers are cut, so that it is a little less.
    const { batch, batchSpread, thirds } = steadyState(workload(0), 20 / 1000)!;
    expect(batch / 20).toBeCloseTo(1, 1);
    expect(batchSpread).toBeCloseTo(Math.sqrt(batch), 1);
    expect((thirds[0]! + thirds[1]! + thirds[2]!) / 3).toBeCloseTo(batch, 1);
    // Of 20 and a deviation of 4.5, the outer thirds of a normal distribution lie 1.09 deviations apart from the middle.
    expect(thirds[0]!).toBeCloseTo(batch - 1.09 * batchSpread, 0);
    expect(thirds[2]!).toBeCloseTo(batch + 1.09 * batchSpread, 0);
  });

  it('gives prefills their share of the time, and answers what is left', () => {
    // 4 a second, 50 ms each: a fifth. Answers so long that single prefills do not matter.
    const { prefillShare, decodingMs, load } = steadyState(workload(0.05, 1e9, { inputTokens: 1000, outputTokens: 2000 }), 4 / 1000)!;
    expect(prefillShare).toBeCloseTo(0.2, 2);
    expect(decodingMs / (20_000 / 0.8)).toBeCloseTo(1, 1);
    // In the queue a prompt counts with its part of steps that are full, 10 ms of 2048 tokens: a little more.
    expect(load).toBeGreaterThan(prefillShare);
    expect(load).toBeLessThan(0.23);
  });

  it('keeps answers waiting that come just after prompts, for at most so many full steps', () => {
    const busy = steadyState(workload(0.05, 1e9, { inputTokens: 1000, outputTokens: 5 }), 14 / 1000)!;
    expect(busy.decodingMs).toBeGreaterThan((1.3 * 5 * 10) / (1 - busy.prefillShare));
    expect(busy.decodingMs).toBeLessThan(5 * busy.fullStepMs);
  });

  it('makes requests wait where the cache is full, the more the fuller', () => {
    const queued = [40, 30, 24].map((held) => steadyState(workload(0, 960 + held * 1080), 20 / 1000)!.queuedShare);
    expect(queued[0]).toBeLessThan(0.01);
    expect(queued[1]).toBeGreaterThan(queued[0]!);
    expect(queued[2]).toBeGreaterThan(queued[1]!);
    expect(steadyState(workload(0, 960 + 15 * 1080), 20 / 1000)).toBeNull();
  });

  it('is none where prefills or sequences are too many', () => {
    expect(steadyState(workload(0.05), 16.5 / 1000)).not.toBeNull();
    expect(steadyState(workload(0.05), 18 / 1000)).toBeNull();
    expect(steadyState(workload(0), 300 / 1000)).toBeNull();
  });
});
