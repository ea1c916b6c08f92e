import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Z90 } from '../domain/statistics.ts';
import { remainingTokens } from './conditional-length.ts';

/** P(L > length) of the lognormal through p50 and p90, by Simpson's rule over the density of its logarithm. */
function survival({ p50, p90 }: { p50: number; p90: number }, length: number): number {
  const score = (Math.log(length / p50) * Z90) / Math.log(p90 / p50);
  const density = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (score < -8) return 1;
  const parts = 4000;
  const width = 12 / parts;
  let sum = density(score) + density(score + 12);
  for (let i = 1; i < parts; i++) sum += (i % 2 === 1 ? 4 : 2) * density(score + i * width);
  return (sum * width) / 3;
}

/** The length that a share of `quantile` of those longer than `produced` does not exceed, by bisection. */
function exactQuantile(predicted: { p50: number; p90: number }, produced: number, quantile: number): number {
  const target = (1 - quantile) * (produced <= 1 ? 1 : survival(predicted, produced));
  let [low, high] = [Math.max(1e-6, produced), 1e9];
  for (let i = 0; i < 80; i++) {
    const middle = Math.sqrt(low * high);
    if (survival(predicted, middle) > target) low = middle;
    else high = middle;
  }
  return low;
}

describe('what an answer has still to come', () => {
  const predictions = [
    { p50: 100, p90: 300 },
    { p50: 800, p90: 1000 },
    { p50: 20, p90: 400 },
  ];
  it.each(predictions)('is the lognormal’s conditional quantile by $p50 and $p90', (predicted) => {
    const deviation = Math.log(predicted.p90 / predicted.p50) / Z90;
    for (const quantile of [0.1, 0.15, 0.5, 0.9]) {
      // Up to three deviations beyond the median: one answer in 700.
      for (const score of [Number.NEGATIVE_INFINITY, -2, -1, 0, 0.5, 1, 2, 3]) {
        const produced = Math.floor(predicted.p50 * Math.exp(score * deviation));
        const exact = exactQuantile(predicted, produced, quantile);
        const answered = remainingTokens(predicted, produced, quantile);
        expect(Math.abs(answered - Math.max(1, exact - produced))).toBeLessThan(0.01 * exact + 0.5);
      }
    }
  });
  it('is the prediction itself where it is sure, and one token where that has come', () => {
    const sure = { p50: 250, p90: 250 };
    expect([0, 100, 249, 250, 900].map((produced) => remainingTokens(sure, produced, 0.5))).toEqual([250, 150, 1, 1, 1]);
  });
  it('is the prediction’s own quantiles at first', () => {
    const predicted = { p50: 100, p90: 300 };
    expect(remainingTokens(predicted, 0, 0.5)).toBeCloseTo(100, 0);
    expect(remainingTokens(predicted, 0, 0.9) / 300).toBeCloseTo(1, 2);
  });

  const prediction = fc
    .record({ p50: fc.double({ min: 1, max: 1e6, noNaN: true }), ratio: fc.double({ min: 1, max: 100, noNaN: true }) })
    .map(({ p50, ratio }) => ({ p50, p90: p50 * ratio }));
  const quantiles = fc.double({ min: 0.05, max: 0.95, noNaN: true }).map((q) => Math.round(q * 20) / 20);
  it('never makes the whole answer shorter as more comes, and is at least a token', () => {
    fc.assert(
      fc.property(
        prediction,
        quantiles,
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 0, max: 1e6 }),
        (predicted, quantile, a, b) => {
          const [less, more] = [Math.min(a, b), Math.max(a, b)];
          const early = remainingTokens(predicted, less, quantile);
          const late = remainingTokens(predicted, more, quantile);
          expect(Number.isFinite(early) && Number.isFinite(late)).toBe(true);
          expect(Math.min(early, late)).toBeGreaterThanOrEqual(1);
          expect(more + late).toBeGreaterThanOrEqual((less + early) * (1 - 1e-9));
        },
      ),
    );
  });
  it('grows with the quantile', () => {
    fc.assert(
      fc.property(prediction, fc.integer({ min: 0, max: 1e5 }), (predicted, produced) => {
        const remaining = [0.1, 0.3, 0.5, 0.7, 0.9].map((quantile) => remainingTokens(predicted, produced, quantile));
        expect(remaining).toEqual([...remaining].sort((a, b) => a - b));
      }),
    );
  });
  it('goes on the longer, the further an answer has outgrown its prediction', () => {
    const remaining = [1000, 10_000, 100_000, 1e6].map((produced) => remainingTokens({ p50: 100, p90: 300 }, produced, 0.5));
    expect(remaining).toEqual([...remaining].sort((a, b) => a - b));
    expect(remaining[0]).toBeGreaterThan(100);
  });
});
