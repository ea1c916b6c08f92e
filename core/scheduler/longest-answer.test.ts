import { describe, expect, it } from 'vitest';
import { createRandom, normal } from '../simulator/random.ts';
import { larger, logLengthOf, normalCdf } from './longest-answer.ts';

function expectedLongest(lengths: { p50: number; p90: number }[]): number {
  const longest = { ...logLengthOf(lengths[0]!) };
  for (const length of lengths.slice(1)) larger(longest, logLengthOf(length), longest);
  return Math.exp(longest.mean + longest.variance / 2);
}

describe('the longest answer', () => {
  it('is the longest of known lengths', () => {
    expect(expectedLongest([100, 300, 20].map((tokens) => ({ p50: tokens, p90: tokens })))).toBeCloseTo(300, 6);
  });
  it.each([
    ['ten alike', Array.from({ length: 10 }, () => ({ p50: 250, p90: 500 }))],
    ['one that stands out', [{ p50: 900, p90: 1000 }, ...Array.from({ length: 9 }, () => ({ p50: 100, p90: 200 }))]],
    ['all sorts', Array.from({ length: 10 }, (_, i) => ({ p50: 50 * (i + 1), p90: 110 * (i + 1) }))],
  ])('is close to what sampling says: %s', (_, lengths) => {
    const random = createRandom(1);
    const logs = lengths.map(logLengthOf);
    let sum = 0;
    for (let i = 0; i < 20_000; i++)
      sum += Math.max(...logs.map(({ mean, variance }) => Math.exp(mean + Math.sqrt(variance) * normal(random))));
    expect(expectedLongest(lengths) / (sum / 20_000)).toBeCloseTo(1, 1);
  });
});

describe('normalCdf', () => {
  it.each([
    [-9, 0],
    [-1.2816, 0.1],
    [0, 0.5],
    [1.96, 0.975],
    [9, 1],
  ])('of %f is %f', (z, share) => expect(normalCdf(z)).toBeCloseTo(share, 4));
});
