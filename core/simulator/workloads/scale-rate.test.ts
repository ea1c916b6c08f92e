import { expect, it } from 'vitest';
import { scaleRate } from './scale-rate.ts';

const requests = [
  { arrivalMs: 0, inputTokens: 1, outputTokens: 2 },
  { arrivalMs: 300, inputTokens: 3, outputTokens: 4, class: 'batch', prefixBlocks: [1, 2] },
];

it('moves arrivals and nothing else, and shares the blocks', () => {
  const scaled = scaleRate(requests, 3);
  expect(scaled.map((r) => r.arrivalMs)).toEqual([0, 100]);
  expect(scaleRate(scaled, 1 / 3)).toEqual(requests);
  expect(scaled[1]!.prefixBlocks).toBe(requests[1]!.prefixBlocks);
  expect(requests[1]!.arrivalMs).toBe(300);
});

it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d', (rateScale) => {
  expect(() => scaleRate(requests, rateScale)).toThrow(`rateScale: got ${rateScale}, allowed is a number above 0`);
});
