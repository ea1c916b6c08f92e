import { describe, expect, it } from 'vitest';
import { betaShare, logNormalQuantile, logNormalShare, normalQuantile, normalShare } from './distributions.ts';

describe('normalQuantile', () => {
  it.each([
    [0.5, 0],
    [0.9, 1.2816],
    [0.99, 2.3263],
    [0.1, -1.2816],
  ])('of %f is %f', (p, z) => {
    expect(normalQuantile(p)).toBeCloseTo(z, 3);
    expect(normalShare(z)).toBeCloseTo(p, 4);
  });

  it('stays finite for certainty', () => {
    expect(normalQuantile(1)).toBeGreaterThan(4);
    expect(Number.isFinite(normalQuantile(1))).toBe(true);
  });
});

describe('the log-normal distribution', () => {
  it('is the mean itself without any spread', () => {
    expect(logNormalQuantile(0.9, 100, 0)).toBeCloseTo(100, 6);
    expect(logNormalShare(99, 100, 0)).toBe(0);
    expect(logNormalShare(101, 100, 0)).toBe(1);
  });

  it('agrees with a worked case', () => {
    // sigma^2 = ln 2, exp(0.8326 * 1.2816 - 0.3466) = 2.0555
    expect(logNormalQuantile(0.9, 100, 100 ** 2)).toBeCloseTo(205.5, 0);
    expect(logNormalShare(205.55, 100, 100 ** 2)).toBeCloseTo(0.9, 3);
    expect(logNormalShare(0, 100, 100 ** 2)).toBe(0);
  });
});

describe('betaShare', () => {
  it.each([
    ['uniform', 0.3, 1 / 2, 1 / 12, 0.3],
    // a = b = 1/2, the arcsine distribution: 2/pi asin(sqrt x)
    ['most of it at both ends', 0.25, 1 / 2, 1 / 8, 1 / 3],
    // a = 2, b = 3: 6x^2 - 8x^3 + 3x^4
    ['humped', 0.4, 2 / 5, 1 / 25, 0.5248],
    ['humped, above its mean', 0.9, 2 / 5, 1 / 25, 0.9963],
    // a = 40, b = 60, nearly normal: 2.04 standard deviations above
    ['narrow', 0.5, 2 / 5, 0.24 / 101, 0.978],
  ])('%s', (_, x, mean, variance, share) => {
    expect(betaShare(x, mean, variance)).toBeCloseTo(share, 3);
  });

  it('has nothing below 0 and all of it below 1', () => {
    expect(betaShare(-1, 0.4, 0.04)).toBe(0);
    expect(betaShare(1, 0.4, 0.04)).toBe(1);
  });
});
