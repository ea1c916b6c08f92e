import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UellmError } from '../domain/errors.ts';
import { decodeStepMs, measuredStepTime, prefillMs, type StepTimeCoefficients } from '../domain/step-time.ts';
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
    expect(errorPercent).toBeLessThan(2);
    // Between the samples, too.
    expect(decodeStepMs(coefficients, 64, 50_000) / decodeStepMs(truth, 64, 50_000)).toBeCloseTo(1, 1);
    expect(prefillMs(coefficients, 1500) / prefillMs(truth, 1500)).toBeCloseTo(1, 1);
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
