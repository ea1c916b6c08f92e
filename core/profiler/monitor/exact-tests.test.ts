import { describe, expect, it } from 'vitest';
import { chanceOfAsFew, chanceOfAsManyIn } from './exact-tests.ts';

describe("Fisher's exact test", () => {
  it.each([
    // 3 of 4 against 1 of 4: (16 + 1) / 70
    [{ hits: 3, of: 4 }, { hits: 1, of: 4 }, 17 / 70],
    // All of 10 against none of 190: one choice of C(200, 10)
    [{ hits: 10, of: 10 }, { hits: 0, of: 190 }, 1 / 22_451_004_309_013_280],
    [{ hits: 0, of: 50 }, { hits: 7, of: 50 }, 1],
    [{ hits: 0, of: 0 }, { hits: 3, of: 9 }, 1],
  ])('%j against %j: %d', (a, b, chance) => {
    expect(chanceOfAsManyIn(a, b) / chance).toBeCloseTo(1, 6);
  });

  it('stays exact among many', () => {
    // Two shares of one half: by symmetry a little more than one half.
    expect(chanceOfAsManyIn({ hits: 5000, of: 10_000 }, { hits: 5000, of: 10_000 })).toBeCloseTo(0.5 + 0.5 * 0.01128, 3);
  });
});

describe('the binomial tail', () => {
  it.each([
    [{ hits: 0, of: 10 }, 0.5, 1 / 1024],
    [{ hits: 1, of: 10 }, 0.5, 11 / 1024],
    [{ hits: 10, of: 10 }, 0.3, 1],
    [{ hits: 3, of: 10 }, 0, 1],
    [{ hits: 3, of: 10 }, 1, 0],
  ])('%j at a share of %d: %d', (count, share, chance) => {
    expect(chanceOfAsFew(count, share)).toBeCloseTo(chance, 9);
  });
});
