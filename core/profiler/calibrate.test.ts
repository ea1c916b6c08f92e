import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { acceleratorKind } from '../domain/accelerators.ts';
import { UellmError } from '../domain/errors.ts';
import { KNOWN_CONFIGS, modelShape } from '../domain/model-spec.ts';
import { decodeStepMs, derivedStepTime, measuredStepTime, prefillMs, type StepTimeCoefficients } from '../domain/step-time.ts';
import { type CalibrationSample, fitStepTime } from './calibrate.ts';
import { solvePositiveDefinite } from './linear-solve.ts';

const prior = measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!.coefficients;

function samplesOf(truth: StepTimeCoefficients, noise: (i: number) => number = () => 1): CalibrationSample[] {
  const prefills = [64, 256, 1024, 2048, 6000].map(
    (inputTokens, i): CalibrationSample => ({ kind: 'prefill', inputTokens, ms: prefillMs(truth, inputTokens) * noise(i) }),
  );
  const decodes = [
    [1, 500],
    [8, 4000],
    [32, 20_000],
    [128, 100_000],
  ].map(
    ([sequences, contextTokens], i): CalibrationSample => ({
      kind: 'decode',
      sequences: sequences!,
      contextTokens: contextTokens!,
      msPerStep: decodeStepMs(truth, sequences!, contextTokens!) * noise(i + 5),
    }),
  );
  return [...prefills, ...decodes];
}

describe('fitStepTime', () => {
  it('keeps a prior that is right', () => {
    const { coefficients, errorPercent } = fitStepTime(prior, samplesOf(prior));
    expect(errorPercent).toBeLessThan(0.01);
    expect(coefficients.d0).toBeCloseTo(prior.d0, 3);
  });

  it.each([
    [
      'twice as slow',
      { ...prior, d0: 2 * prior.d0, d1: 2 * prior.d1, d2: 2 * prior.d2, ra: 2 * prior.ra, rc: 2 * prior.rc, rb: 2 * prior.rb },
    ],
    ['slow only in prefill', { ...prior, ra: 3 * prior.ra, rc: 3 * prior.rc, rb: 3 * prior.rb }],
    ['another shape altogether', measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients],
    ['another card of lower bandwidth', measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients],
    ['a CPU, 200 times slower', { ...prior, d0: 200 * prior.d0, d1: 150 * prior.d1, ra: 300 * prior.ra }],
  ])('finds an engine that is %s', (_, truth) => {
    const { coefficients, errorPercent } = fitStepTime(prior, samplesOf(truth));
    expect(errorPercent).toBeLessThan(4);
    // Between the samples, too.
    for (const ratio of [
      decodeStepMs(coefficients, 64, 50_000) / decodeStepMs(truth, 64, 50_000),
      prefillMs(coefficients, 1500) / prefillMs(truth, 1500),
    ]) {
      expect(ratio).toBeGreaterThan(0.92);
      expect(ratio).toBeLessThan(1.08);
    }
  });

  it('takes three samples as far as they go, and leaves the rest in proportion', () => {
    const truth = { ...prior, d0: 1.5 * prior.d0, d1: 1.5 * prior.d1, d2: 1.5 * prior.d2 };
    const few = samplesOf(truth).filter((s) => s.kind === 'decode' && s.sequences < 128);
    const { coefficients } = fitStepTime(prior, few);
    expect(decodeStepMs(coefficients, 200, 200_000) / decodeStepMs(truth, 200, 200_000)).toBeCloseTo(1, 1);
    expect(coefficients.rb).toBeCloseTo(prior.rb, 8);
  });

  it('is not bent by one interrupted step', () => {
    const samples = samplesOf(prior);
    const hiccup: CalibrationSample = { kind: 'decode', sequences: 8, contextTokens: 4000, msPerStep: 400 };
    const { coefficients } = fitStepTime(prior, [...samples, ...samples, hiccup]);
    expect(decodeStepMs(coefficients, 16, 10_000) / decodeStepMs(prior, 16, 10_000)).toBeLessThan(1.05);
  });

  it('reports the error that noise leaves', () => {
    const { errorPercent } = fitStepTime(
      prior,
      samplesOf(prior, (i) => (i % 2 ? 1.1 : 0.9)),
    );
    expect(errorPercent).toBeGreaterThan(1);
    expect(errorPercent).toBeLessThan(11);
  });

  it('refuses a run without a usable sample', () => {
    const bad: CalibrationSample[] = [
      { kind: 'prefill', inputTokens: 100, ms: Number.NaN },
      { kind: 'decode', sequences: 0, contextTokens: 0, msPerStep: 4 },
    ];
    expect(() => fitStepTime(prior, bad)).toThrow(UellmError);
    expect(() => fitStepTime(prior, [])).toThrow('samples');
  });

  it('is finite and never negative, whatever was measured', () => {
    const positive = fc.double({ min: 1e-3, max: 1e5, noNaN: true });
    const sample: fc.Arbitrary<CalibrationSample> = fc.oneof(
      fc.record({ kind: fc.constant('prefill' as const), inputTokens: fc.integer({ min: 1, max: 100_000 }), ms: positive }),
      fc.record({
        kind: fc.constant('decode' as const),
        sequences: fc.integer({ min: 1, max: 512 }),
        contextTokens: fc.integer({ min: 1, max: 1_000_000 }),
        msPerStep: positive,
      }),
    );
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 20 }), (samples) => {
        const { coefficients, errorPercent } = fitStepTime(prior, samples);
        for (const value of [...Object.values(coefficients), errorPercent]) {
          expect(Number.isFinite(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 100 },
    );
  });
});

const grid = new URL('../../../shared/data/perf/aic_grid_vllm.csv', import.meta.url);

describe('fitStepTime on measured shapes', () => {
  beforeEach((context) => context.skip(!existsSync(grid), 'there is no ../shared/data beside this checkout'));
  const MODELS: Record<string, string> = {
    'meta-llama/Meta-Llama-3.1-8B': 'llama-3.1-8b',
    'meta-llama/Meta-Llama-3.1-70B': 'llama-3.1-70b',
    'Qwen/Qwen3-32B': 'qwen3-32b',
  };

  it('from five samples and the catalog, comes nearer to all other batches and contexts than the catalog alone', () => {
    const shapes = new Map<string, CalibrationSample[]>();
    for (const line of readFileSync(grid, 'utf8').trim().split('\n').slice(1)) {
      const [system, model, width, kind, batch, tokens, ms] = line.split(',') as [string, string, string, string, string, string, string];
      if (!MODELS[model] || (kind === 'prefill' && (batch !== '1' || Number(tokens) > 2048))) continue;
      const key = `${system} ${MODELS[model]} ${width}`;
      if (!shapes.has(key)) shapes.set(key, []);
      const decode = { sequences: Number(batch), contextTokens: Number(batch) * Number(tokens), msPerStep: Number(ms) };
      shapes.get(key)!.push(kind === 'decode' ? { kind, ...decode } : { kind: 'prefill', inputTokens: Number(tokens), ms: Number(ms) });
    }
    const errors = [...shapes].map(([key, samples]) => {
      const [system, model, width] = key.split(' ') as [string, string, string];
      const catalog = derivedStepTime(
        modelShape(model, KNOWN_CONFIGS[model]!, 'bf16'),
        acceleratorKind(system),
        Number(width),
      ).coefficients;
      const taken = samples.filter((s) =>
        s.kind === 'prefill'
          ? [128, 512, 2048].includes(s.inputTokens)
          : [1, 8].includes(s.sequences) && s.contextTokens === 128 * s.sequences,
      );
      const fitted = fitStepTime(catalog, taken).coefficients;
      return { catalog: meanError(catalog, samples), fitted: meanError(fitted, samples) };
    });
    const overall = (of: (e: (typeof errors)[number]) => number) => errors.reduce((sum, e) => sum + of(e), 0) / errors.length;
    expect(errors.length).toBeGreaterThan(50);
    expect(overall((e) => e.fitted)).toBeLessThan(0.07);
    expect(overall((e) => e.fitted)).toBeLessThan(0.6 * overall((e) => e.catalog));
  });

  function meanError(coefficients: StepTimeCoefficients, samples: CalibrationSample[]): number {
    const errors = samples.map((s) =>
      s.kind === 'prefill'
        ? prefillMs(coefficients, s.inputTokens) / s.ms - 1
        : decodeStepMs(coefficients, s.sequences, s.contextTokens) / s.msPerStep - 1,
    );
    return errors.reduce((sum, e) => sum + Math.abs(e), 0) / errors.length;
  }
});

describe('solvePositiveDefinite', () => {
  it('solves a system', () => {
    const solution = solvePositiveDefinite(
      [
        [4, 1],
        [1, 3],
      ],
      [1, 2],
    );
    expect(solution[0]).toBeCloseTo(1 / 11, 12);
    expect(solution[1]).toBeCloseTo(7 / 11, 12);
  });
});
