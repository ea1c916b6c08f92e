import { describe, expect, it } from 'vitest';
import { canaryVerdict, canaryWeights } from './canary.ts';

describe('canaryWeights', () => {
  it.each([
    [5, 1, 2],
    [50, 2, 2],
    [99, 3, 1],
  ])('gives the new replicas %d %% together', (percent, fresh, old) => {
    const weights = canaryWeights(
      percent,
      Array.from({ length: fresh }, (_, i) => `new-${i}`),
      Array.from({ length: old }, (_, i) => `old-${i}`),
    );
    const sum = (prefix: string) => Object.entries(weights).reduce((total, [id, w]) => (id.startsWith(prefix) ? total + w : total), 0);
    expect((100 * sum('new')) / (sum('new') + sum('old'))).toBeCloseTo(percent, 9);
  });
});

describe('canaryVerdict', () => {
  const outcomes = (requests: number, failed: number) => ({ requests, failed, attained: requests - failed });
  it.each([
    ['no traffic', outcomes(0, 0), outcomes(0, 0), true],
    ['too few requests to tell', outcomes(19, 19), outcomes(100, 0), true],
    ['failures as before', outcomes(100, 10), outcomes(100, 10), true],
    ['failures beyond what is tolerated', outcomes(100, 20), outcomes(100, 10), false],
  ])('%s', (_, canary, stable, good) => {
    expect(canaryVerdict({ canary, stable }).good).toBe(good);
  });
});
