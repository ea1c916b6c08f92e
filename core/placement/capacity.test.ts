import { describe, expect, it } from 'vitest';
import { acceleratorKind } from '../domain/accelerators.ts';
import { kvCacheTokens } from '../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../domain/model-spec.ts';
import { priorStepTime, type StepTimeCoefficients } from '../domain/step-time.ts';
import { replicaCapacity } from './capacity.ts';

/** A step takes 10 ms, a prompt token 0.05 ms more, whatever the batch: figures that a hand can follow. */
const plain: StepTimeCoefficients = { d0: 10, d1: 0, d2: 0, ra: 0, rc: 0.05, rb: 0, o: 0 };
const lengths = { inputTokens: 1000, outputTokens: 100 };
const roomy = { stepTime: plain, kvCacheTokens: 1e9 };

describe('replicaCapacity against figures worked by hand', () => {
  it('holds TPOT up to the rate where its 90th percentile reaches the target', () => {
    // At 2/s: u = 0.1, t = 10 / 0.9 = 11.11, interruptions 2 sqrt(0.002 · 11.11 · 50² · 1.918 / 100) / 0.9 = 2.294, p90 14.05.
    const { requestsPerSecond } = replicaCapacity(roomy, lengths, { tpotMs: 14.051, attainment: 0.9 });
    expect(requestsPerSecond).toBeCloseTo(2, 1);
  });

  it('holds TTFT up to the rate where the queue of prefills makes its 90th percentile reach the target', () => {
    // At 4/s: service 54.88, load 0.2195, wait 22.20, own 62.56, mean 84.76, variance 7566, p90 175.4.
    const { requestsPerSecond } = replicaCapacity(roomy, lengths, { ttftMs: 175.4, attainment: 0.9 });
    expect(requestsPerSecond).toBeCloseTo(4, 1);
  });

  it('says what an idle replica reaches', () => {
    // Whole steps of 10 ms and 50 ms of prompt, over lengths that spread by 0.96: mean 62.56, variance 2789, p90 122.4.
    const { unloaded } = replicaCapacity(roomy, lengths, null);
    expect(unloaded.ttftMs).toBeCloseTo(122.4, 0);
    expect(unloaded.tpotMs).toBeCloseTo(10, 2);
  });

  it('shares what may miss out between the targets', () => {
    // Both met by 90 %: 95 % of each, whose normal quantile is 1.645 instead of 1.282.
    const one = replicaCapacity(roomy, lengths, { tpotMs: 14.051, attainment: 0.95 });
    const both = replicaCapacity(roomy, lengths, { tpotMs: 14.051, ttftMs: 1e6, attainment: 0.9 });
    expect(both.requestsPerSecond).toBeCloseTo(one.requestsPerSecond, 6);
  });
});

describe('replicaCapacity at its limits', () => {
  const idle = replicaCapacity(roomy, lengths, null);

  it('keeps queues short where nobody named targets', () => {
    expect(idle.meetsSlo).toBe(true);
    expect(idle.requestsPerSecond).toBeCloseTo((1000 * 0.8) / 54.88, 1);
  });

  it('still gives a rate where targets cannot be met even when idle, and says so', () => {
    const hopeless = replicaCapacity(roomy, lengths, { tpotMs: 9, attainment: 0.9 });
    expect(hopeless.meetsSlo).toBe(false);
    expect(hopeless.requestsPerSecond).toBeCloseTo(idle.requestsPerSecond, 6);
  });

  it('is bounded by the KV cache', () => {
    const starved = replicaCapacity({ stepTime: plain, kvCacheTokens: 4096 }, lengths, null);
    expect(starved.requestsPerSecond).toBeLessThan(idle.requestsPerSecond / 4);
    expect(starved.requestsPerSecond).toBeGreaterThan(0);
  });

  it('is bounded by the number of sequences', () => {
    const long = replicaCapacity(roomy, { inputTokens: 10, outputTokens: 10_000 }, null);
    // B = rate · 10,000 · 10 ms stays within 256 - sqrt(B).
    expect(long.requestsPerSecond).toBeCloseTo(2.4, 1);
  });

  it('falls as a higher attainment is asked for', () => {
    const at = (attainment: number) => replicaCapacity(roomy, lengths, { ttftMs: 400, tpotMs: 20, attainment }).requestsPerSecond;
    expect(at(0.99)).toBeLessThan(at(0.9));
  });

  it('counts the end to end target', () => {
    const at = (e2eMs: number) => replicaCapacity(roomy, lengths, { e2eMs, attainment: 0.9 });
    expect(at(1000).meetsSlo).toBe(false);
    expect(at(4000).requestsPerSecond).toBeGreaterThan(at(2500).requestsPerSecond);
  });
});

describe('replicaCapacity on measured shapes', () => {
  const chat = { inputTokens: 1155, outputTokens: 211 };
  const on = (model: string, kind: string, tensorParallel: number, ttftMs: number, tpotMs: number) => {
    const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
    const accelerator = acceleratorKind(kind);
    const stepTime = priorStepTime(shape, accelerator, tensorParallel).coefficients;
    const speed = { stepTime, kvCacheTokens: kvCacheTokens(shape, accelerator, tensorParallel) };
    return replicaCapacity(speed, chat, { ttftMs, tpotMs, attainment: 0.9 });
  };

  it('ranks accelerators as their measurements do', () => {
    const [h100, a100, l40s] = ['H100-SXM', 'A100-80G-SXM', 'L40S'].map((kind) => on('llama-3.1-8b', kind, 1, 500, 50).requestsPerSecond);
    expect(h100).toBeGreaterThan(2 * a100!);
    expect(a100).toBeGreaterThan(1.5 * l40s!);
  });

  it('finds four L40S across PCIe too slow for a tight 70B, and good enough for a loose one', () => {
    expect(on('llama-3.1-70b', 'L40S', 4, 2000, 50).meetsSlo).toBe(false);
    expect(on('llama-3.1-70b', 'L40S', 4, 8000, 100).meetsSlo).toBe(true);
  });
});
