import { describe, expect, it } from 'vitest';
import { cdfColumns, logRange, pointColumns, shareAtMost, stepColumns } from './curves.ts';

describe('the share of samples that are at most x', () => {
  it.each([
    [[10, 20, 30], 5, 0],
    [[10, 20, 30], 10, 0],
    [[10, 20, 30], 15, 0.25],
    [[10, 20, 30], 20, 0.5],
    [[10, 20, 30], 99, 1],
    [[10, 10, 10, 30], 10, 2 / 3],
    [[10], 9, 0],
    [[10], 10, 1],
    [[10, 20, null], 99, 0.5],
    [[null], 99, 0],
  ])('of %j, x = %d: %d', (samples, x, share) => {
    expect(shareAtMost(samples, x)).toBeCloseTo(share, 9);
  });
});

describe('columns', () => {
  it('of CDFs have all samples in order, and what else is to be read off', () => {
    expect(
      cdfColumns(
        [
          [1, 3],
          [3, 5, null],
        ],
        [4],
        0,
      ),
    ).toEqual([
      [1, 3, 4, 5],
      [0, 1, 1, 1],
      [0, 0, 0.25, 0.5],
    ]);
  });

  it('of CDFs have nothing that has no logarithm', () => {
    expect(cdfColumns([[0, 1]], [], 0.1)[0]).toEqual([0.1, 1]);
  });

  it('of points leave gaps where a curve has none', () => {
    const first = [
      { x: 2, y: 0.2 },
      { x: 1, y: 0.1 },
    ];
    expect(pointColumns([first, [{ x: 3, y: 0.3 }]])).toEqual([
      [1, 2, 3],
      [0.1, 0.2, null],
      [null, null, 0.3],
    ]);
  });

  it('of steps end where the last interval ends', () => {
    expect(stepColumns([0.5, 1], 5)).toEqual([
      [0, 5, 10],
      [0.5, 1, 1],
    ]);
  });
});

describe('the range of a logarithmic axis', () => {
  it.each([
    [23, 4100, 20, 5000],
    [100, 1000, 100, 1000],
    [100, 100, 50, 200],
  ])('from %d to %d: %d to %d', (min, max, low, high) => {
    expect(logRange(min, max)).toEqual([low, high]);
  });
});
