import { describe, expect, it } from 'vitest';
import { isSurelyAbove, isSurelyBelow } from './significance.ts';

/** P(X >= least), X binomial. */
function upperTail(count: number, share: number, least: number): number {
  let term = (1 - share) ** count;
  let tail = 0;
  for (let k = 0; k <= count; k++) {
    if (k >= least) tail += term;
    term *= ((count - k) / (k + 1)) * (share / (1 - share));
  }
  return tail;
}

describe('a share', () => {
  it.each([
    [30, 0.5],
    [200, 0.5],
    [30, 0.2],
    [100, 0.2],
  ])('of %i is surely above %f only where chance makes that of fewer than one in 2,000', (count, expected) => {
    for (let k = 0; k <= count; k++) {
      if (isSurelyAbove(k / count, expected, count)) expect(upperTail(count, expected, k)).toBeLessThan(1 / 2000);
      expect(isSurelyBelow(1 - k / count, 1 - expected, count)).toBe(isSurelyAbove(k / count, expected, count));
    }
    expect(isSurelyAbove(1, expected, count)).toBe(true);
  });

  it('is never sure of few', () => {
    expect(isSurelyAbove(1, 0.5, 10)).toBe(false);
    expect(isSurelyAbove(1, 0.5, 12)).toBe(true);
    expect(isSurelyAbove(0.6, 0.5, 100)).toBe(false);
    expect(isSurelyAbove(0.6, 0.5, 1000)).toBe(true);
  });
});
