import { describe, expect, it } from 'vitest';
import { createRandom, hash32, lognormal, normal } from './random.ts';

const draws = (n: number, draw: () => number) => Array.from({ length: n }, draw);
const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

describe('createRandom', () => {
  it('repeats itself for a seed, and differs between near seeds from the first number on', () => {
    expect(draws(5, createRandom(7))).toEqual(draws(5, createRandom(7)));
    const firsts = Array.from({ length: 1000 }, (_, seed) => createRandom(seed)());
    expect(new Set(firsts).size).toBe(1000);
    expect(mean(firsts)).toBeCloseTo(0.5, 1);
  });

  it('is uniform in [0, 1)', () => {
    const values = draws(20_000, createRandom('uniform'));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    for (let tenth = 0; tenth < 10; tenth++) {
      expect(values.filter((v) => Math.floor(v * 10) === tenth).length / values.length).toBeCloseTo(0.1, 1);
    }
  });
});

describe('distributions', () => {
  it('normal has mean 0 and deviation 1', () => {
    const random = createRandom(1);
    const values = draws(20_000, () => normal(random));
    expect(mean(values)).toBeCloseTo(0, 1);
    expect(Math.sqrt(mean(values.map((v) => v * v)))).toBeCloseTo(1, 1);
  });

  it('lognormal has the given median', () => {
    const random = createRandom(2);
    const values = draws(20_001, () => lognormal(random, 150, 0.8)).sort((a, b) => a - b);
    expect(values[10_000]! / 150).toBeCloseTo(1, 1);
  });
});

describe('hash32', () => {
  it('is stable and spreads', () => {
    expect(hash32('')).toBe(hash32(''));
    expect(new Set(Array.from({ length: 5000 }, (_, i) => hash32(`request ${i}`))).size).toBeGreaterThan(4998);
  });
});
