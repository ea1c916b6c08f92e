import { describe, expect, it } from 'vitest';
import type { ProfilerSnapshotResource } from '../../../api/schema/index.ts';
import { againstConstant, linePath, scoreHistory } from './profiler.ts';

const score = (maeTokens: number | null) => ({ observations: 1, maeTokens, maeConstantMedianTokens: 80, coverage90: 0.9 });
const snapshot = (version: number, scores: ProfilerSnapshotResource['scores']): ProfilerSnapshotResource => ({
  version,
  createdAt: '2026-01-01T00:00:00Z',
  reason: 'learned',
  basedOn: null,
  trainedThroughId: 0,
  scores,
});

describe('scoreHistory', () => {
  it('is of one model, oldest first, without versions that say nothing of it', () => {
    const newestFirst = [
      snapshot(4, { all: score(1), models: { a: score(40), b: score(9) } }),
      snapshot(3, null),
      snapshot(2, { all: score(1), models: { b: score(9) } }),
      snapshot(1, { all: score(1), models: { a: score(50) } }),
      snapshot(0, { all: score(1), models: { a: score(null) } }),
    ];
    expect(scoreHistory(newestFirst, 'a').map(({ version, maeTokens }) => [version, maeTokens])).toEqual([
      [1, 50],
      [4, 40],
    ]);
  });
});

describe('linePath', () => {
  const box = { width: 100, height: 20 };
  it('runs from left to right, 0 at the bottom', () => {
    expect(linePath([0, 5, 10], 10, box)).toBe('M0 20L50 10L100 0');
  });
  it('stays in its box, and is a line across for a single value', () => {
    expect(linePath([30, -1], 10, box)).toBe('M0 0L100 20');
    expect(linePath([5], 10, box)).toBe('M0 10L100 10');
    expect(linePath([0, 0], 0, box)).toBe('M0 20L100 20');
  });
});

it.each([
  [60, 80, '-25 %'],
  [88, 80, '+10 %'],
  [80, 80, '0 %'],
  [null, 80, null],
  [0, 0, null],
] as const)('an error of %s beside %s is %s', (mae, constant, shown) => {
  expect(againstConstant(mae, constant)).toBe(shown);
});
