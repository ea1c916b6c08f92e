import { describe, expect, it } from 'vitest';
import type { Run } from './run.ts';
import { largestRate, SEARCH_PRECISION } from './search.ts';

/** A run that is nothing but its attainment. */
function search(attainmentAt: (rate: number) => number, startRate?: number, attainment = 0.9) {
  const looked: number[] = [];
  const run = (rateScale: number): Run => {
    looked.push(rateScale);
    if (looked.length > 200) throw new Error('looks for ever');
    return { rateScale, attainment: attainmentAt(rateScale) } as Run;
  };
  return { found: largestRate(run, { attainment, ...(startRate === undefined ? {} : { startRate }) }), looked };
}
const until = (threshold: number) => (rate: number) => (rate <= threshold ? 0.95 : 0.5);

describe('the largest rate', () => {
  it.each([0.0123, 0.5, 0.99, 1, 1.01, 3.7, 64, 1234.5])('is found to within the precision: %f', (threshold) => {
    for (const startRate of [undefined, 0.1, 7, 500]) {
      const { found, looked } = search(until(threshold), startRate);
      expect(found!.rateScale).toBeLessThanOrEqual(threshold);
      expect(found!.rateScale * (1 + SEARCH_PRECISION)).toBeGreaterThanOrEqual(threshold);
      expect(looked.length).toBeLessThan(30);
      expect(found).toMatchObject({ attainment: 0.95, searchedAttainment: 0.9 });
    }
  });
  it('attains by a smooth curve too, and exactly is enough', () => {
    const { found } = search((rate) => 1 / (1 + rate), 1, 0.5);
    expect(found!.rateScale).toBeCloseTo(1, 1);
    expect(search((rate) => (rate === 1 ? 0.9 : 0), 1).found?.rateScale).toBe(1);
  });
  it('is null where none attains, after a look at the smallest', () => {
    const { found, looked } = search(() => 0.89);
    expect(found).toBeNull();
    expect(Math.min(...looked)).toBeLessThan(0.005);
  });
  it('is one that attains below the first failure, where attainment rises again beyond it', () => {
    const { found } = search((rate) => (rate <= 3 || (rate > 5 && rate < 100) ? 1 : 0), 1);
    expect(found!.rateScale).toBeGreaterThan(2.9);
    expect(found!.rateScale).toBeLessThanOrEqual(3);
    expect(found!.attainment).toBe(1);
  });
  it.each([
    ['it always attains', () => 1],
    ['it fails only beyond what is looked for', until(1e6)],
  ])('is finite where %s', (_, attainmentAt) => {
    for (const startRate of [1, 7, 3e5]) {
      const { found, looked } = search(attainmentAt, startRate);
      expect(found!.rateScale).toBe(Math.max(...looked));
      expect(found!.rateScale).toBeGreaterThanOrEqual(1e5);
      expect(looked.length).toBeLessThan(30);
    }
  });
});
