import { describe, expect, it } from 'vitest';
import { ago, bandwidth, count, duration, gibibytes, percent, target, usdPerHour } from './format.ts';

it.each([
  [0.44, '0.4 s'],
  [12.6, '13 s'],
  [65, '1 min 05 s'],
  [7800, '2 h 10 min'],
])('duration of %f s is %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

it.each([
  [2, 'just now'],
  [59, '59 s ago'],
  [150, '2 min ago'],
  [7300, '2 h ago'],
  [200_000, '2 d ago'],
  [-30, 'just now'],
])('%i s back is %s', (seconds, text) => {
  const now = Date.UTC(2026, 0, 31, 12);
  expect(ago(new Date(now - seconds * 1000).toISOString(), now)).toBe(text);
});

describe('shares', () => {
  it('never round up to all', () => {
    expect(percent(0.99999)).toBe('99.9 %');
    expect(percent(1)).toBe('100 %');
    expect(percent(0.9312)).toBe('93.1 %');
  });

  it('show a target as it was declared', () => {
    expect([target(0.9), target(0.999), target(0.07)]).toEqual(['90 %', '99.9 %', '7 %']);
  });
});

it('names an unknown price', () => {
  expect([usdPerHour(9.344), usdPerHour(null)]).toEqual(['$9.34/h', 'price unknown']);
});

it('counts in words', () => {
  expect([count(1, 'replica'), count(1200, 'replica')]).toEqual(['1 replica', '1,200 replicas']);
});

it('counts memory in GiB and bandwidth in GB/s', () => {
  expect([16 * 2 ** 30, 85_899_345_920, 17.25 * 2 ** 30].map(gibibytes)).toEqual(['16 GiB', '80 GiB', '17.3 GiB']);
  expect([18.6e9, 450e9].map(bandwidth)).toEqual(['18.6 GB/s', '450 GB/s']);
});
