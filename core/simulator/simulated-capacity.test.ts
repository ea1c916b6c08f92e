import { describe, expect, it } from 'vitest';
import { STEP_TIME } from '../../test/support/simulating.ts';
import { checkShape, simulatedCapacity } from './simulated-capacity.ts';

/** An 8B model on an H100, and short requests: many of them in little time. */
const speed = { stepTime: STEP_TIME, kvCacheTokens: 400_000 };
const lengths = { inputTokens: 300, outputTokens: 60 };
const targets = { ttftMs: 200, tpotMs: 20, attainment: 0.9 };
const REQUESTS = 1500;
const attained = (rate: number, of = targets, on = speed) => checkShape(on, lengths, of, rate, { seed: 1, requests: REQUESTS }).attainment;

describe('checkShape', () => {
  it('finds everything met on an idle replica, and less the more come', () => {
    const shares = [1, 60, 75].map((rate) => attained(rate));
    expect(shares[0]).toBeGreaterThan(0.99);
    expect(shares[1]).toBeLessThan(shares[0]!);
    expect(shares[2]).toBeLessThan(shares[1]!);
  });

  it('repeats itself for a seed, and differs little between seeds', () => {
    const at = (seed: number) => checkShape(speed, lengths, targets, 60, { seed, requests: REQUESTS }).attainment;
    expect(at(1)).toBe(at(1));
    expect(Math.abs(at(1) - at(2))).toBeLessThan(0.1);
  });

  it('asks for all targets at once', () => {
    const together = attained(65);
    const ttft = attained(65, { ...targets, tpotMs: 1e9 });
    const tpot = attained(65, { ...targets, ttftMs: 1e9 });
    expect(together).toBeLessThanOrEqual(Math.min(ttft, tpot));
    expect(together).toBeGreaterThanOrEqual(ttft + tpot - 1);
  });

  it('finds nothing attained that the engine does not keep up with, however long requests may take', () => {
    const patient = { ttftMs: 1e9, tpotMs: 1e9, attainment: 0.9 };
    expect(attained(60, patient)).toBe(1);
    expect(attained(300, patient)).toBe(0);
  });

  it('counts requests that the KV cache could never hold as missed', () => {
    const patient = { ttftMs: 1e9, tpotMs: 1e9, attainment: 0.9 };
    // A tenth of the prompts has more than 2031/1000 of the mean: with the answer, about 670 tokens.
    const share = attained(1, patient, { ...speed, kvCacheTokens: 672 });
    expect(share).toBeGreaterThan(0.86);
    expect(share).toBeLessThan(0.94);
  });

  it('gives requests that are all alike the same time on an idle replica', () => {
    const alike = { seed: 1, requests: 200, inputVariation: 0, outputVariation: 0 };
    expect(checkShape(speed, lengths, { ttftMs: 20, attainment: 0.9 }, 0.1, alike).attainment).toBe(1);
    expect(checkShape(speed, lengths, { ttftMs: 5, attainment: 0.9 }, 0.1, alike).attainment).toBe(0);
  });
});

describe('simulatedCapacity', () => {
  const search = (of: Parameters<typeof simulatedCapacity>[2], seed = 1) =>
    simulatedCapacity(speed, lengths, of, { seed, requests: REQUESTS });

  it('is where attainment is as asked for', () => {
    const rate = search(targets);
    expect(attained(rate * 0.99)).toBeGreaterThanOrEqual(0.89);
    expect(attained(rate * 1.05)).toBeLessThan(0.9);
  });

  it('differs little between seeds', () => {
    expect(search(targets, 2) / search(targets, 1)).toBeCloseTo(1, 0);
  });

  it('falls as more is asked for, down to nothing', () => {
    expect(search({ ...targets, attainment: 0.99 })).toBeLessThan(search(targets));
    expect(search({ ...targets, ttftMs: 40 })).toBeLessThan(search(targets));
    expect(search({ ttftMs: 5, attainment: 0.9 })).toBe(0);
  });
});
