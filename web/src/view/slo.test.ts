import { describe, expect, it } from 'vitest';
import type { PolicyHistory, QueryDistribution } from '../../../api/schema/index.ts';
import { arrivalsPerMinute, attainedPercent, bucketText, budgetPercent, burnTone, questionOf, shortTokens, stepTimes } from './slo.ts';

const at = (minute: number) => `2026-01-01T00:0${minute}:00.000Z`;
const start = Date.parse(at(0)) / 1000;
const times = [start, start + 60, start + 120];
const history = (fields: Partial<PolicyHistory>) =>
  ({
    errorBudget: { allowed: 4, remaining: 0.25 },
    steps: [
      { startsAt: at(0), requests: 10, attained: 9 },
      { startsAt: at(2), requests: 2, attained: 0 },
    ],
    ...fields,
  }) as PolicyHistory;

it('has a time for every step, empty ones too, the one under way included', () => {
  expect(stepTimes({ since: at(0), until: '2026-01-01T00:02:30.000Z', stepSeconds: 60 })).toEqual(times);
});

describe('of each step', () => {
  it('the share that attained is known where there were requests', () => {
    expect(attainedPercent(times, history({}))).toEqual([90, null, 0]);
  });

  it('the budget is what is left of it after all that missed so far', () => {
    expect(budgetPercent(times, history({}))).toEqual([75, 75, 25]);
    expect(budgetPercent(times, history({ errorBudget: null }))).toEqual([null, null, null]);
  });

  it('arrivals are by the minute, however long it is', () => {
    const arrivals = [{ startsAt: at(1), requests: 30 }];
    expect(arrivalsPerMinute(times, { arrivals, stepSeconds: 120 } as QueryDistribution)).toEqual([0, 15, 0]);
  });
});

it.each([
  [null, 'quiet'],
  [0, 'good'],
  [1, 'good'],
  [1.1, 'warn'],
  [14.4, 'bad'],
] as const)('a burn rate of %s is %s', (rate, tone) => {
  expect(burnTone(rate)).toBe(tone);
});

it('writes lengths short, and buckets with both ends', () => {
  expect([91, 1448, 131_072].map(shortTokens)).toEqual(['91', '1.4k', '131k']);
  expect(bucketText({ fromTokens: 91, belowTokens: 128 })).toBe('91 to 127');
  expect(bucketText({ fromTokens: 92_682, belowTokens: 2 ** 31 })).toBe('92,682 and more');
});

it('asks the API for what the address says, and for an hour where it says nothing that there is', () => {
  expect(questionOf(new URLSearchParams('window=86400&policy=a&other=x'))).toEqual({
    api: '?windowSeconds=86400&policy=a',
    windowSeconds: 86_400,
  });
  expect(questionOf(new URLSearchParams('window=7'))).toEqual({ api: '?windowSeconds=3600', windowSeconds: 3600 });
});
