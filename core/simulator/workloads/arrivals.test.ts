import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { type Gaps, gammaGaps, steadyArrivals, weibullGaps } from './arrivals.ts';
import { mean, variation } from './measures.ts';

const draw = (gaps: Gaps, count = 60_000) => {
  const random = createRandom('gaps');
  return Array.from({ length: count }, () => gaps.draw(random));
};

describe.each([
  ['gamma', gammaGaps],
  ['Weibull', weibullGaps],
])('%s gaps', (_name, gapsOf) => {
  it.each([0.25, 1, 2.3])('have mean 1 and a CV of %d', (cv) => {
    const gaps = draw(gapsOf(cv));
    expect(mean(gaps)).toBeCloseTo(1, 1);
    expect(variation(gaps) / cv).toBeCloseTo(1, 1);
    expect(gaps.every((gap) => gap >= 0)).toBe(true);
  });

  it.each([0.25, 1, 2.3])('begin at a moment at random: with a CV of %d the first is (1 + CV²) / 2 in the mean', (cv) => {
    const gaps = gapsOf(cv);
    const first = draw({ draw: gaps.drawFirst, drawFirst: gaps.drawFirst });
    expect(mean(first) / ((1 + cv ** 2) / 2)).toBeCloseTo(1, 1);
  });

  it('can be as bursty as the burstiest client of ServeGen', () => {
    const gaps = draw(gapsOf(20), 400_000);
    expect(mean(gaps)).toBeGreaterThan(0.85);
    expect(mean(gaps)).toBeLessThan(1.15);
  });
});

it('is Poisson with a CV of 1', () => {
  for (const gaps of [draw(gammaGaps(1)), draw(weibullGaps(1))]) {
    expect(gaps.filter((gap) => gap > 1).length / gaps.length).toBeCloseTo(Math.exp(-1), 2);
    expect(gaps.filter((gap) => gap > 3).length / gaps.length).toBeCloseTo(Math.exp(-3), 2);
  }
});

it('arrives in order at the rate', () => {
  const at = steadyArrivals(createRandom(1), gammaGaps(1), 50_000, 20);
  expect(at.every((ms, i) => i === 0 || ms >= at[i - 1]!)).toBe(true);
  expect((at.length / at.at(-1)!) * 1000).toBeCloseTo(20, 0);
});
