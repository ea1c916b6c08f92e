import { expect, it } from 'vitest';
import { parseDuration } from './duration.ts';

it.each([
  ['90s', 90],
  ['10m', 600],
  ['2h', 7200],
  ['1d', 86_400],
])('%s is %d seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

it.each(['10', 'm', '-1s', '1.5h', '10 m', ''])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow('90s, 10m, 2h, 1d');
});
