import { describe, expect, it } from 'vitest';
import { INPUT_SHARES, meanOf, meanSquareOf, strataOf } from './lengths.ts';
import { type PrefillWait, prefillWait } from './wait.ts';

/** From the integral of the share: what it lacks to 1, summed. */
const meanWait = (wait: PrefillWait) => 1e6 - wait.integral(1e6);

describe('the wait for prefills', () => {
  const alike = strataOf(100, 0, INPUT_SHARES);
  const mixed = strataOf(100, 1, INPUT_SHARES);
  const times = (factor: number) => mixed.edges.map((tokens) => tokens * factor);

  it.each([0.1, 0.5, 0.9])('is that of M/D/1 where prompts are alike, at a load of %f', (load) => {
    const wait = prefillWait(alike, alike.edges, alike.edges, load / 100);
    expect(wait.idleShare).toBeCloseTo(1 - load, 3);
    expect(meanWait(wait) / ((load * 100) / (2 * (1 - load)))).toBeCloseTo(1, 1);
  });

  it.each([0.1, 0.5, 0.9])('is that of M/G/1 where they are not, at a load of %f', (load) => {
    const rate = load / meanOf(mixed, mixed.edges);
    const wait = prefillWait(mixed, mixed.edges, mixed.edges, rate);
    const known = (rate * meanSquareOf(mixed, mixed.edges)) / (2 * (1 - load));
    expect(meanWait(wait) / known).toBeCloseTo(1, 1);
  });

  it('counts the first of a busy time as longer', () => {
    const [first, next] = [times(3), mixed.edges];
    const rate = 0.5 / meanOf(mixed, next);
    const wait = prefillWait(mixed, first, next, rate);
    // Busy: 3 · 0.5 / (1 - 0.5 + 3 · 0.5) of the time.
    expect(wait.idleShare).toBeCloseTo(1 / 4, 3);
    const known = 0.75 * (meanSquareOf(mixed, first) / (2 * meanOf(mixed, first)) + (rate * meanSquareOf(mixed, next)) / (2 * 0.5));
    expect(meanWait(wait) / known).toBeCloseTo(1, 1);
  });

  it('never falls with time, and its integrals are integrals', () => {
    const wait = prefillWait(mixed, times(2), mixed.edges, 0.7 / 100);
    let [once, twice, before] = [0, 0, 0];
    for (let ms = 1; ms < 4000; ms++) {
      const share = wait.share(ms - 0.5);
      expect(share).toBeGreaterThanOrEqual(before);
      before = share;
      once += share;
      twice += wait.integral(ms - 0.5);
      if (ms % 500 === 0) {
        expect(wait.integral(ms) / once).toBeCloseTo(1, 3);
        expect(wait.secondIntegral(ms) / twice).toBeCloseTo(1, 3);
      }
    }
    expect(before).toBeCloseTo(1, 2);
  });
});
