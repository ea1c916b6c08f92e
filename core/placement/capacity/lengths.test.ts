import { describe, expect, it } from 'vitest';
import { logNormalShare } from '../distributions.ts';
import { INPUT_SHARES, meanOf, meanSquareOf, meanWithin, strataOf } from './lengths.ts';

describe('strata', () => {
  const strata = strataOf(1000, 0.96, INPUT_SHARES);

  it('have the moments of the distribution', () => {
    expect(strata.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(meanOf(strata, strata.edges) / 1000).toBeCloseTo(1, 1);
    // Evenly spread within a stratum is a little more spread than the distribution is.
    expect(meanSquareOf(strata, strata.edges) / (1000 ** 2 * (1 + 0.96 ** 2))).toBeCloseTo(1.03, 1);
  });

  it('have the shares of the distribution below them', () => {
    let below = 0;
    strata.weights.forEach((weight, i) => {
      expect(logNormalShare(strata.edges[i]!, 1000, 960 ** 2)).toBeCloseTo(below, 3);
      below += weight;
    });
  });

  it('are all alike without variation', () => {
    const alike = strataOf(500, 0, INPUT_SHARES);
    expect(new Set(alike.edges)).toEqual(new Set([500]));
    expect(meanWithin(alike, alike.edges, 700)).toBeCloseTo(500, 6);
    expect(meanWithin(alike, alike.edges, 300)).toBeCloseTo(300, 6);
  });

  it('say what is within a limit: nothing of 0, all of what is longer than any', () => {
    expect(meanWithin(strata, strata.edges, 0)).toBe(0);
    expect(meanWithin(strata, strata.edges, 1e9)).toBeCloseTo(meanOf(strata, strata.edges), 6);
    expect(meanWithin(strata, strata.edges, 1000)).toBeLessThan(1000);
  });
});
