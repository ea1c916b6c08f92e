import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceleratorKind } from '../../domain/accelerators.ts';
import { kvCacheTokens } from '../../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../domain/model-spec.ts';
import type { SloTargets } from '../../domain/slo-policy.ts';
import { priorStepTime, type StepTimeCoefficients } from '../../domain/step-time.ts';
import { logNormalQuantile } from '../distributions.ts';
import { type Capacity, meetsTargets, type ReplicaSpeed, replicaCapacity } from './capacity.ts';

/** A step takes 10 ms, a prompt token 0.05 ms more, whatever the batch: figures that a hand can follow. */
const plain: StepTimeCoefficients = { d0: 10, d1: 0, d2: 0, ra: 0, rc: 0.05, rb: 0, o: 0 };
const lengths = { inputTokens: 1000, outputTokens: 100 };
const roomy = { stepTime: plain, kvCacheTokens: 1e9 };
const capacity = (targets: SloTargets | null, speed: ReplicaSpeed = roomy, of = lengths) => replicaCapacity(speed, of, targets);

describe('replicaCapacity against figures worked by hand', () => {
  it('meets a TTFT that so many prompts are computed in on an idle replica, and none below', () => {
    // Nine tenths have at most 500 exp(0.808 · 1.2816 - 0.327) = 1016 tokens: one step of 10 ms and 50.8 ms more.
    const short = { inputTokens: 500, outputTokens: 100 };
    expect(capacity({ ttftMs: 61.5, attainment: 0.9 }, roomy, short).meetsSlo).toBe(true);
    expect(capacity({ ttftMs: 60, attainment: 0.9 }, roomy, short).meetsSlo).toBe(false);
  });

  it('meets a TPOT of a step, and none below', () => {
    expect(capacity({ tpotMs: 10.1, attainment: 0.9 }).meetsSlo).toBe(true);
    expect(capacity({ tpotMs: 9.9, attainment: 0.9 }).meetsSlo).toBe(false);
  });

  it('meets an end to end target of the longest answers that count', () => {
    // Nine tenths have at most 100 exp(0.683 · 1.2816 - 0.233) = 190 tokens; their prompts take 60 ms more on average.
    expect(capacity({ e2eMs: 2000, attainment: 0.9 }).meetsSlo).toBe(true);
    expect(capacity({ e2eMs: 1900, attainment: 0.9 }).meetsSlo).toBe(false);
  });

  it('says what an idle replica reaches', () => {
    const { unloaded } = capacity(null, roomy, { inputTokens: 500, outputTokens: 100 });
    expect(unloaded.ttftMs / (10 + 0.05 * logNormalQuantile(0.9, 500, 480 ** 2))).toBeCloseTo(1, 1);
    expect(unloaded.tpotMs).toBeCloseTo(10, 6);
    // Nearly all of it is decoding: 100 exp(0.683 · 1.2816 - 0.233) = 190 steps, and 35 ms of prefill.
    expect(unloaded.e2eMs / (1900 + 35)).toBeCloseTo(1, 1);
  });

  it.each([0.8, 0.9, 0.99])('meets what it says an idle replica reaches for %f, and not much less', (attainment) => {
    const { unloaded } = capacity({ e2eMs: 1, attainment });
    const tpotMs = unloaded.tpotMs * 1.01;
    expect(capacity({ ttftMs: unloaded.ttftMs, attainment }).meetsSlo).toBe(true);
    expect(capacity({ ttftMs: unloaded.ttftMs * 0.95, attainment }).meetsSlo).toBe(false);
    expect(capacity({ e2eMs: unloaded.e2eMs, attainment }).meetsSlo).toBe(true);
    expect(capacity({ e2eMs: unloaded.e2eMs * 0.97, attainment }).meetsSlo).toBe(false);
    expect(capacity({ tpotMs, attainment }).meetsSlo).toBe(true);
    const all = capacity({ ttftMs: 1, tpotMs, e2eMs: 1, attainment }).unloaded;
    expect(capacity({ ...all, tpotMs, attainment }).meetsSlo).toBe(true);
  });

  it('keeps the queue of prefills short where nobody named targets', () => {
    const { requestsPerSecond, meetsSlo } = capacity(null);
    expect(meetsSlo).toBe(true);
    // Steps full of prompts take 10 + 2048 · 0.05 = 112.4 ms, so that a prompt takes 54.9 ms: 80 % of 18.2 a second.
    expect(requestsPerSecond / 14.6).toBeCloseTo(1, 1);
  });

  it('keeps the batch under the engine’s limit', () => {
    // 0.8 · 256 sequences, each of 10,000 steps of 10 ms.
    expect(capacity(null, roomy, { inputTokens: 10, outputTokens: 10_000 }).requestsPerSecond / 2.048).toBeCloseTo(1, 1);
  });

  it('keeps the batch within the KV cache', () => {
    // A sequence that is met has 1000 + 100 · 1.593 / 2 = 1080 tokens, and half of one that is met stays empty: 960. 10 fit.
    const { requestsPerSecond } = capacity(null, { stepTime: plain, kvCacheTokens: 960 + 10.5 * 1080 });
    const tokenMs = 10 / (1 - (requestsPerSecond * 50) / 1000);
    expect((requestsPerSecond / 1000) * 100 * tokenMs).toBeLessThan(8.1);
    expect((requestsPerSecond / 1000) * 100 * tokenMs).toBeGreaterThan(6.5);
  });

  it('counts requests that the KV cache could never hold', () => {
    // A tenth is longer than about 2230 tokens.
    const small = { stepTime: plain, kvCacheTokens: 2000 };
    expect(capacity({ e2eMs: 1e6, attainment: 0.9 }, small).meetsSlo).toBe(false);
    expect(capacity({ e2eMs: 1e6, attainment: 0.8 }, small).meetsSlo).toBe(true);
  });
});

describe('replicaCapacity', () => {
  it('still gives a rate where targets cannot be met even when idle, and says so', () => {
    const hopeless = capacity({ tpotMs: 9, attainment: 0.9 });
    expect(hopeless.meetsSlo).toBe(false);
    expect(hopeless.requestsPerSecond).toBe(capacity(null).requestsPerSecond);
  });

  it('takes other variations of the lengths', () => {
    const targets = { ttftMs: 200, attainment: 0.9 };
    const usual = replicaCapacity(roomy, lengths, targets).requestsPerSecond;
    expect(replicaCapacity(roomy, lengths, targets, { inputVariation: 0.96, outputVariation: 0.77 }).requestsPerSecond).toBe(usual);
    expect(replicaCapacity(roomy, lengths, targets, { inputVariation: 0.2 }).requestsPerSecond).toBeGreaterThan(1.2 * usual);
    expect(replicaCapacity(roomy, lengths, targets, { inputVariation: 0, outputVariation: 0 }).meetsSlo).toBe(true);
    const ends = { e2eMs: 1500, attainment: 0.9 };
    expect(replicaCapacity(roomy, lengths, ends).meetsSlo).toBe(false);
    expect(replicaCapacity(roomy, lengths, ends, { outputVariation: 0.1 }).meetsSlo).toBe(true);
  });

  it('serves as many whatever prefills cost where they cost nothing', () => {
    const free = { stepTime: { ...plain, rc: 0 }, kvCacheTokens: 1e9 };
    expect(capacity({ tpotMs: 10.1, attainment: 0.9 }, free).requestsPerSecond).toBeGreaterThan(100);
    expect(capacity({ tpotMs: 9.9, attainment: 0.9 }, free).meetsSlo).toBe(false);
  });

  it('takes one target at a time as met or not', () => {
    expect(meetsTargets({ ttftMs: 1, tpotMs: 1, e2eMs: 1 }, null)).toBe(true);
    expect(meetsTargets({ ttftMs: 1, tpotMs: 1, e2eMs: 1 }, { tpotMs: 0.9, attainment: 0.9 })).toBe(false);
  });
});

describe('replicaCapacity in general', () => {
  const speed = fc.record({
    stepTime: fc.record({
      d0: fc.double({ min: 2, max: 60, noNaN: true }),
      d1: fc.double({ min: 0.005, max: 1, noNaN: true }),
      d2: fc.double({ min: 5e-6, max: 3e-4, noNaN: true }),
      ra: fc.double({ min: 0.001, max: 0.3, noNaN: true }),
      rc: fc.double({ min: 0.001, max: 0.5, noNaN: true }),
      rb: fc.double({ min: 0, max: 5e-6, noNaN: true }),
      o: fc.constant(1),
    }),
    kvCacheTokens: fc.integer({ min: 20_000, max: 500_000 }),
  });
  const of = fc.record({ inputTokens: fc.integer({ min: 50, max: 12_000 }), outputTokens: fc.integer({ min: 4, max: 2000 }) });
  const targets = fc
    .record(
      {
        ttftMs: fc.double({ min: 300, max: 10_000, noNaN: true }),
        tpotMs: fc.double({ min: 20, max: 200, noNaN: true }),
        e2eMs: fc.double({ min: 5000, max: 120_000, noNaN: true }),
        attainment: fc.constantFrom(0.8, 0.9, 0.95, 0.99),
      },
      { requiredKeys: ['attainment'] },
    )
    .filter(({ ttftMs, tpotMs, e2eMs }) => ttftMs !== undefined || tpotMs !== undefined || e2eMs !== undefined);
  const more = fc.double({ min: 1, max: 3, noNaN: true });
  /** What a replica serves within its targets: nothing where it cannot meet them. */
  const served = ({ meetsSlo, requestsPerSecond }: Capacity) => (meetsSlo ? requestsPerSecond : 0);
  const RUNS = { numRuns: 150, seed: 3, endOnFailure: true };

  it('is never lower under more generous targets', () => {
    let higher = 0;
    fc.assert(
      fc.property(speed, of, targets, more, more, more, (s, l, t, ttft, tpot, e2e) => {
        const generous = {
          attainment: t.attainment,
          ...(t.ttftMs ? { ttftMs: t.ttftMs * ttft } : {}),
          ...(t.tpotMs ? { tpotMs: t.tpotMs * tpot } : {}),
          ...(t.e2eMs ? { e2eMs: t.e2eMs * e2e } : {}),
        };
        const [tight, loose] = [replicaCapacity(s, l, t as SloTargets), replicaCapacity(s, l, generous)];
        expect(served(loose)).toBeGreaterThanOrEqual(served(tight));
        if (served(loose) > served(tight)) higher++;
      }),
      RUNS,
    );
    expect(higher).toBeGreaterThan(30);
  });

  it('is never lower without one of the targets, or with less of an attainment', () => {
    fc.assert(
      fc.property(speed, of, targets, (s, l, t) => {
        const all = served(replicaCapacity(s, l, t as SloTargets));
        expect(served(replicaCapacity(s, l, { ...t, attainment: t.attainment - 0.05 } as SloTargets))).toBeGreaterThanOrEqual(all);
        for (const name of ['ttftMs', 'tpotMs', 'e2eMs'] as const) {
          const { [name]: _, ...others } = t;
          expect(served(replicaCapacity(s, l, others as SloTargets))).toBeGreaterThanOrEqual(all);
        }
      }),
      RUNS,
    );
  });

  it('is never lower with more KV cache, with targets or without', () => {
    let higher = 0;
    fc.assert(
      fc.property(speed, of, fc.option(targets), more, (s, l, t, factor) => {
        const less = replicaCapacity(s, l, t as SloTargets | null);
        const greater = replicaCapacity({ ...s, kvCacheTokens: s.kvCacheTokens * factor }, l, t as SloTargets | null);
        expect(served(greater)).toBeGreaterThanOrEqual(served(less));
        if (served(greater) > served(less)) higher++;
      }),
      RUNS,
    );
    expect(higher).toBeGreaterThan(10);
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
