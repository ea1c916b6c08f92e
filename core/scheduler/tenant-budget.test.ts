import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TenantLimits } from '../domain/tenant.ts';
import { type BudgetRefusal, type Reservation, TenantBudget } from './tenant-budget.ts';

const DAY_MS = 86_400_000;
/** Noon of a day. */
const NOON = 20_000 * DAY_MS + DAY_MS / 2;

const budgetOf = (limits: TenantLimits, share = 1) => new TenantBudget(limits, share, 0, NOON);
const isRefused = (answer: Reservation | BudgetRefusal): answer is BudgetRefusal => 'limit' in answer;
/** Asks at a time since noon. */
const ask = (budget: TenantBudget, input: number, output: number, atMs = 0) => budget.admit(input, output, atMs, NOON + atMs);
function admitted(budget: TenantBudget, input: number, output: number, atMs = 0): Reservation {
  const answer = ask(budget, input, output, atMs);
  if (isRefused(answer)) throw new Error(`refused: ${answer.limit}`);
  return answer;
}
const settle = (budget: TenantBudget, reservation: Reservation, tokens: number, atMs = 0) =>
  budget.settle(reservation, tokens, atMs, NOON + atMs);

describe('a tenant’s limits', () => {
  it.each<[string, TenantLimits, { before: [input: number, output: number][]; ask: [number, number] }, BudgetRefusal]>([
    [
      'requests per minute',
      { requestsPerMinute: 2 },
      { before: [[1, 1], [1, 1]], ask: [1, 1] }, // biome-ignore format: a table
      { limit: 'requestsPerMinute', allowed: 2, used: 2, asked: 1, retryAfterMs: 30_000 },
    ],
    [
      'tokens per minute, the answer’s prediction among them',
      { tokensPerMinute: 600 },
      { before: [[100, 400]], ask: [50, 100] },
      { limit: 'tokensPerMinute', allowed: 600, used: 500, asked: 150, retryAfterMs: 5000 },
    ],
    [
      'requests open at once',
      { requestsInFlight: 1 },
      { before: [[1, 1]], ask: [1, 1] },
      { limit: 'requestsInFlight', allowed: 1, used: 1, asked: 1, retryAfterMs: 1000 },
    ],
    [
      'tokens per day: room again when what is open turns out shorter',
      { tokensPerDay: 1000 },
      { before: [[100, 800]], ask: [50, 100] },
      { limit: 'tokensPerDay', allowed: 1000, used: 0, asked: 150, retryAfterMs: 1000 },
    ],
    [
      'a prompt longer than a minute’s tokens: never',
      { tokensPerMinute: 600 },
      { before: [], ask: [601, 1] },
      { limit: 'tokensPerMinute', allowed: 600, used: 0, asked: 601, retryAfterMs: null },
    ],
    [
      'a prompt longer than a day’s tokens: never',
      { tokensPerDay: 600 },
      { before: [[100, 1]], ask: [601, 1] },
      { limit: 'tokensPerDay', allowed: 600, used: 0, asked: 600, retryAfterMs: null },
    ],
  ])('%s', (_, limits, { before, ask: [input, output] }, refusal) => {
    const budget = budgetOf(limits);
    for (const [i, o] of before) admitted(budget, i, o);
    expect(ask(budget, input, output)).toEqual(refusal);
  });

  it('take nothing for what they refuse', () => {
    const budget = budgetOf({ requestsPerMinute: 10, tokensPerMinute: 100 });
    admitted(budget, 10, 80);
    for (let i = 0; i < 50; i++) expect(isRefused(ask(budget, 10, 10))).toBe(true);
    expect(budget.requestAllowance(0)).toEqual({ limit: 10, remaining: 9, resetMs: 6000 });
    expect(budget.tokenAllowance(0, NOON)).toEqual({ limit: 100, remaining: 10, resetMs: 54_000 });
  });

  it('put a reservation right when the request has ended: less is given back, more is owed', () => {
    const budget = budgetOf({ tokensPerMinute: 600, requestsInFlight: 1 });
    settle(budget, admitted(budget, 100, 400), 110);
    expect(budget.tokenAllowance(0, NOON)!.remaining).toBe(490);
    settle(budget, admitted(budget, 100, 100), 790);
    expect(ask(budget, 10, 0)).toMatchObject({ limit: 'tokensPerMinute', used: 900, retryAfterMs: 31_000 });
    expect(isRefused(ask(budget, 10, 0, 31_000))).toBe(false);
  });

  it('keep no request out because of an absurd prediction', () => {
    for (const output of [1e9, Number.POSITIVE_INFINITY]) {
      expect(isRefused(ask(budgetOf({ tokensPerMinute: 600, tokensPerDay: 5000 }), 10, output))).toBe(false);
    }
    const budget = budgetOf({ tokensPerMinute: 600 });
    settle(budget, admitted(budget, Number.NaN, 1), 600);
    expect(budget.tokenAllowance(0, NOON)!.remaining).toBe(0);
  });

  it('of a day begin anew at midnight UTC, whatever is still open', () => {
    const budget = budgetOf({ tokensPerDay: 1000 });
    const open = admitted(budget, 100, 400);
    settle(budget, admitted(budget, 100, 400), 500);
    expect(ask(budget, 100, 100)).toMatchObject({ limit: 'tokensPerDay', used: 500, retryAfterMs: 1000 });
    budget.hearStored(20_000, 600, 0, NOON);
    expect(ask(budget, 100, 100, 3_600_000)).toMatchObject({ used: 1100, retryAfterMs: 11 * 3_600_000 });
    settle(budget, open, 500, DAY_MS / 2);
    expect(budget.use(DAY_MS / 2, NOON + DAY_MS / 2).tokensToday).toBe(0);
    expect(isRefused(ask(budget, 500, 500, DAY_MS / 2))).toBe(false);
    // What was stored of yesterday says nothing of today.
    budget.hearStored(20_000, 1000, 0, NOON + DAY_MS / 2);
    expect(budget.use(DAY_MS / 2, NOON + DAY_MS / 2).tokensToday).toBe(0);
  });

  it('of a day count what all gateways have stored, and its own only once', () => {
    const budget = budgetOf({ tokensPerDay: 1000 });
    settle(budget, admitted(budget, 100, 100), 200);
    settle(budget, admitted(budget, 100, 0), 100);
    budget.hearStored(20_000, 500, 200, NOON);
    expect(budget.use(0, NOON).tokensToday).toBe(600);
    expect(budget.tokenAllowance(0, NOON)).toEqual({ limit: 1000, remaining: 400, resetMs: DAY_MS / 2 });
  });

  it('change while requests are open', () => {
    const budget = budgetOf({ tokensPerMinute: 600 });
    const open = admitted(budget, 100, 100);
    budget.declare({ requestsPerMinute: 5 }, 0);
    settle(budget, open, 150);
    expect([budget.requestAllowance(0)!.remaining, budget.tokenAllowance(0, NOON)]).toEqual([5, null]);
    budget.declare({ requestsPerMinute: 10 }, 0);
    expect(budget.requestAllowance(0)!.remaining).toBe(5);
  });
});

describe('a share of the limits', () => {
  it('makes all of them smaller', () => {
    const budget = budgetOf({ requestsPerMinute: 60, tokensPerMinute: 6000, requestsInFlight: 10, tokensPerDay: 1e6 }, 0.5);
    expect(budget.requestAllowance(0)).toEqual({ limit: 60, remaining: 30, resetMs: 0 });
    for (let i = 0; i < 5; i++) admitted(budget, 1, 0);
    expect(ask(budget, 1, 0)).toMatchObject({ limit: 'requestsInFlight', allowed: 10, used: 5 });
    budget.setShare(1, 0);
    expect(isRefused(ask(budget, 1, 0))).toBe(false);
    expect(budget.requestAllowance(0)!.remaining).toBe(24);
  });

  it('too small for one request lets one through, in its time', () => {
    const budget = budgetOf({ requestsPerMinute: 3, requestsInFlight: 3 }, 0.25);
    const open = admitted(budget, 1, 1);
    expect(ask(budget, 1, 1)).toMatchObject({ limit: 'requestsInFlight' });
    settle(budget, open, 2);
    expect(ask(budget, 1, 1)).toMatchObject({ limit: 'requestsPerMinute', retryAfterMs: 80_000 });
  });

  it('of what is left of a day', () => {
    const budget = budgetOf({ tokensPerDay: 1000 }, 0.5);
    budget.hearStored(20_000, 600, 0, NOON);
    expect(ask(budget, 100, 150)).toMatchObject({ limit: 'tokensPerDay', used: 600, retryAfterMs: 1000 });
    expect(isRefused(ask(budget, 100, 100))).toBe(false);
  });

  it('is asked for by what comes, refused or not, and is forgotten', () => {
    const budget = budgetOf({ requestsPerMinute: 60 }, 0.5);
    expect(budget.demand(0)).toBe(0);
    for (let i = 0; i < 5; i++) ask(budget, 1, 1);
    expect(budget.demand(0)).toBeCloseTo(0.5, 6);
    for (let i = 0; i < 100; i++) ask(budget, 1, 1);
    expect(budget.demand(0)).toBe(1);
    expect(budget.demand(100_000)).toBeLessThan(0.01);
  });
});

describe('what a minute has seen', () => {
  it('is counted to the second', () => {
    const budget = budgetOf({ requestsPerMinute: 1000 });
    settle(budget, admitted(budget, 1, 1, 500), 7, 30_500);
    expect(budget.use(59_900, NOON)).toEqual({ requestsInFlight: 0, requestsPerMinute: 1, tokensPerMinute: 7, tokensToday: 7 });
    expect(budget.use(60_100, NOON)).toMatchObject({ requestsPerMinute: 0, tokensPerMinute: 7 });
    expect(budget.use(91_000, NOON)).toMatchObject({ requestsPerMinute: 0, tokensPerMinute: 0 });
  });
});

it('no order of requests, ends and shares takes more than the limits give', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 5000 }),
    input: fc.integer({ min: 0, max: 200 }),
    predicted: fc.integer({ min: 0, max: 200 }),
    ends: fc.boolean(),
    share: fc.constantFrom(1, 0.5, 0.1),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const limits = { requestsPerMinute: 20, tokensPerMinute: 2000, requestsInFlight: 4, tokensPerDay: 6000 };
      const budget = budgetOf(limits);
      const open: [Reservation, number][] = [];
      let [nowMs, requests, tokens] = [0, 0, 0];
      for (const { afterMs, input, predicted, ends, share } of steps) {
        nowMs += afterMs;
        budget.setShare(share, nowMs);
        if (ends && open.length > 0) {
          const [reservation, least] = open.shift()!;
          // It took no more than was predicted.
          settle(budget, reservation, least, nowMs);
          tokens += least;
        }
        const answer = ask(budget, input, predicted, nowMs);
        if (!isRefused(answer)) {
          open.push([answer, Math.floor((input + predicted) / 2)]);
          requests += 1;
        }
        expect(open.length).toBeLessThanOrEqual(limits.requestsInFlight);
        expect(requests).toBeLessThanOrEqual(limits.requestsPerMinute * (1 + nowMs / 60_000) + 1);
        expect(tokens).toBeLessThanOrEqual(Math.min(limits.tokensPerDay, limits.tokensPerMinute * (1 + nowMs / 60_000) + 400));
        expect(budget.use(nowMs, NOON + nowMs)).toMatchObject({ requestsInFlight: open.length, tokensToday: tokens });
      }
    }),
  );
});
