import { expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { createStepNoise } from './step-noise.ts';

const draws = (share: number, seed: number, count = 50_000) => {
  const noise = createStepNoise({ share, random: createRandom(seed) });
  return Array.from({ length: count }, noise);
};

it('is normal around 1 with the given deviation', () => {
  const factors = draws(0.05, 1);
  const mean = factors.reduce((sum, f) => sum + f, 0) / factors.length;
  const deviation = Math.sqrt(factors.reduce((sum, f) => sum + (f - mean) ** 2, 0) / factors.length);
  expect(mean).toBeCloseTo(1, 2);
  expect(deviation / 0.05).toBeCloseTo(1, 1);
  const within = factors.filter((f) => Math.abs(f - 1) < 0.05).length / factors.length;
  expect(within).toBeCloseTo(0.683, 1);
});

it('repeats itself for a seed, and leaves no step without time', () => {
  expect(draws(0.05, 3, 20)).toEqual(draws(0.05, 3, 20));
  expect(draws(0.05, 3, 20)).not.toEqual(draws(0.05, 4, 20));
  expect(Math.min(...draws(2, 5))).toBe(0.1);
});
