import { describe, expect, it } from 'vitest';
import { logNormalPoints, logNormalQuantile, normalQuantile } from './distributions.ts';

describe('normalQuantile', () => {
  it.each([
    [0.5, 0],
    [0.9, 1.2816],
    [0.99, 2.3263],
    [0.1, -1.2816],
  ])('of %f is %f', (p, z) => {
    expect(normalQuantile(p)).toBeCloseTo(z, 3);
  });

  it('stays finite for certainty', () => {
    expect(normalQuantile(1)).toBeGreaterThan(4);
    expect(Number.isFinite(normalQuantile(1))).toBe(true);
  });
});

describe('logNormalQuantile', () => {
  it('is the mean itself without any spread', () => {
    expect(logNormalQuantile(0.9, 100, 0)).toBeCloseTo(100, 6);
  });

  it('agrees with a worked case', () => {
    // sigma^2 = ln 2, exp(0.8326 * 1.2816 - 0.3466) = 2.0555
    expect(logNormalQuantile(0.9, 100, 100 ** 2)).toBeCloseTo(205.5, 0);
  });
});

describe('logNormalPoints', () => {
  it('have the moments of the distribution', () => {
    const points = logNormalPoints(1000, 0.96);
    const moment = (power: number) => points.reduce((sum, p) => sum + p.weight * p.value ** power, 0);
    expect(moment(0)).toBeCloseTo(1, 5);
    expect(moment(1)).toBeCloseTo(1000, 1);
    expect(moment(2) / 1e6).toBeCloseTo(1 + 0.96 ** 2, 1);
  });
});
