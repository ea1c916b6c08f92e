import { describe, expect, it } from 'vitest';
import type { DeploymentValueItem, Problem, ValueReport } from '../../../api/schema/index.ts';
import { attainedTone, breakEvenText, paidText, periodIssuesOf, periodMistakes, periodOf, reportQuery, verdict } from './value.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');

describe('the period', () => {
  it.each([
    ['', '24h', ''],
    ['period=7d', '7d', '?from=2026-01-24T12%3A00%3A00.000Z'],
    ['period=ages', '24h', ''],
    ['from=2026-01-01T00:00Z&to=2026-01-02T00:00Z', 'other', '?from=2026-01-01T00%3A00%3A00.000Z&to=2026-01-02T00%3A00%3A00.000Z'],
    ['from=&to=', 'other', '?'],
    ['from=once', 'other', '?from=once'],
  ])('of ?%s', (address, period, query) => {
    const values = new URLSearchParams(address);
    expect([periodOf(values), reportQuery(values, NOW)]).toEqual([period, query]);
  });
});

describe('a period that is none', () => {
  const shown = (time: string) => new Date(time).toLocaleString();
  it.each([
    ['', {}],
    ['from=2026-01-01T00:00&to=', {}],
    ['from=2026-01-01T00:00Z&to=2027-01-01T00:00Z', {}],
    [
      'from=2026-01-02T00:00Z&to=2026-01-01T00:00Z',
      { to: `a time after ${shown('2026-01-02T00:00Z')}; given: ${shown('2026-01-01T00:00Z')}` },
    ],
    ['from=2026-02-02T00:00Z&to=', { from: `a time before now; given: ${shown('2026-02-02T00:00Z')}` }],
    ['from=once&to=', { from: 'a day and a time; given: once' }],
    ['from=2026-01-02T00:00Z&to=soon', { to: 'a day and a time; given: soon' }],
  ])('?%s says so at its field', (address, issues) => expect(periodMistakes(new URLSearchParams(address), NOW)).toEqual(issues));

  it('is what the API finds wrong, too', () => {
    const issue = { field: 'from', given: '"2001"', allowed: 'at most 400 days before the end of the period' };
    expect(periodIssuesOf({ issues: [issue] } as Problem)).toEqual({ from: issue.allowed });
    expect(periodIssuesOf({ issues: [{ ...issue, field: 'by' }] } as Problem)).toBeNull();
    expect(periodIssuesOf({ detail: 'away' } as Problem)).toBeNull();
  });
});

describe('the verdict', () => {
  const of = (earnedUsd: number | null, spentUsd: number | null, netUsd: number | null, unvaluedRequests = 0) =>
    verdict({ totals: { served: { earnedUsd, unvaluedRequests, requests: 10 }, spentUsd, netUsd } } as ValueReport);

  it('is a sentence', () => {
    expect(of(10, 4, 6)).toEqual({ tone: 'good', text: 'Worth it: $6.00 more earned than spent' });
    expect(of(1, 4, -3)).toEqual({ tone: 'bad', text: 'Not worth it: $3.00 more spent than earned' });
    expect(of(1, 4, -3, 5)).toEqual({
      tone: 'warn',
      text: '$3.00 more spent than earned, and 50.0 % of the requests have no declared value',
    });
    expect(of(null, 4, null).text).toMatch(/^\$4.00 spent; no policy/);
    expect(of(1, null, null)).toMatchObject({ tone: 'warn' });
  });
});

describe('break-even', () => {
  const of = (fields: Partial<DeploymentValueItem['breakEven']>, requestsPerHour: number | null = 50) =>
    ({
      requestsPerHour,
      breakEven: { requestsPerHour: null, none: null, purchaseUsd: 0, purchaseMonths: null, ...fields },
    }) as DeploymentValueItem;

  it('is a rate, or says why there is none', () => {
    expect(breakEvenText(of({ requestsPerHour: 43.75 }))).toEqual({ tone: 'good', text: 'at 44/h' });
    expect(breakEvenText(of({ requestsPerHour: 4.25 }, 1))).toEqual({ tone: 'bad', text: 'at 4.3/h' });
    expect(breakEvenText(of({ none: 'value' }))).toEqual({ tone: 'quiet', text: 'no value declared' });
  });

  it('of what was bought is after so many months', () => {
    expect(paidText(of({}))).toBe('');
    expect(paidText(of({ purchaseUsd: 7300, purchaseMonths: 10.04 }))).toBe('$7300.00 of accelerators paid in 10.0 months');
    expect(paidText(of({ purchaseUsd: 7300 }))).toBe('$7300.00 of accelerators never paid');
    expect(paidText(of({ purchaseUsd: 7300, none: 'value' }))).toBe('');
  });
});

it('attainment is good where it reaches its target', () => {
  const at = (attainment: number | null) => attainedTone({ attainment } as never, 0.95);
  expect([at(0.95), at(0.94), at(null)]).toEqual(['good', 'bad', null]);
});
