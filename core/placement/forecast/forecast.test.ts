import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrivalBucket, BUCKET_SECONDS, historyOf, type RateAt, recentOf } from '../../../test/support/arrivals.ts';
import { demandSchema } from '../../domain/deployment.ts';
import type { ArrivalBucket, RecentBucket } from './arrivals.ts';
import { type ForecastInput, forecastDemand } from './forecast.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A Thursday. */
const NOON = Date.UTC(2026, 4, 14, 12);
const declared = { requestsPerSecond: 6, inputTokens: 1000, outputTokens: 200 };

const forecast = (input: Partial<ForecastInput>) =>
  forecastDemand({ declared, recent: [], history: [], bucketSeconds: BUCKET_SECONDS, nowMs: NOON, ...input });
/** With so many days of history before the last minutes. */
const seen = (rate: RateAt, days: number, nowMs = NOON) =>
  forecast({ recent: recentOf(rate, nowMs), history: historyOf(rate, nowMs, days), nowMs });
const hour = (ms: number) => (ms % DAY_MS) / HOUR_MS;
const weekday = (ms: number) => new Date(ms).getUTCDay();

/** Twice as much from two in the afternoon on. */
const doublesAtTwo: RateAt = (ms) => (hour(ms) >= 14 ? 20 : 10);
const BEFORE_TWO = NOON + 1.95 * HOUR_MS;

describe('with nothing known', () => {
  it('is the declared demand', () => {
    expect(forecast({})).toEqual({
      demand: declared,
      inputVariation: null,
      outputVariation: null,
      basis: 'declared',
      parts: { level: 6, seasonalFactor: 1, burstMargin: 0 },
    });
  });

  it.each([
    ['nobody has asked yet', recentOf(() => 0, NOON)],
    ['traffic has only begun', recentOf((ms) => (ms > NOON - 50_000 ? 100 : 0), NOON)],
    ['hardly anything is complete', recentOf(() => 3, NOON).map((b, i) => ({ ...b, complete: i < 1 }))],
  ])('is the declared demand while %s', (_, recent) => {
    expect(forecast({ recent })).toMatchObject({ demand: declared, basis: 'declared' });
  });

  it('counts from the first arrival of a deployment without a history', () => {
    const recent = recentOf((ms) => (ms > NOON - 5 * 60_000 ? 10 : 0), NOON);
    expect(forecast({ recent })).toMatchObject({ basis: 'recent', parts: { level: 10, seasonalFactor: 1 } });
  });
});

describe('with the last minutes alone', () => {
  it('is their rate and a margin of chance', () => {
    const { demand, basis, parts } = forecast({ recent: recentOf(() => 10, NOON) });
    expect(basis).toBe('recent');
    expect(parts.level).toBeCloseTo(10);
    // 1.645 standard deviations of Poisson counts over five and over ten minutes.
    expect(parts.burstMargin).toBeCloseTo(1.645 * Math.sqrt(10 / 300 + 10 / 600), 2);
    expect(demand.requestsPerSecond).toBe(parts.level * parts.seasonalFactor + parts.burstMargin);
  });

  it('takes unknown buckets for unknown, and empty ones for empty', () => {
    const flowing = recentOf(() => 10, NOON);
    const outage = (b: RecentBucket) => b.bucketStartMs >= NOON - 15 * 60_000 && b.bucketStartMs < NOON - 3 * 60_000;
    const unknown = forecast({ recent: flowing.filter((b) => !outage(b)) });
    expect(unknown.parts.level).toBeCloseTo(10);
    const empty = forecast({ recent: flowing.map((b) => (outage(b) ? { ...b, arrivals: 0 } : b)) });
    expect(empty.parts.level).toBeLessThan(5);
  });

  it('is not moved by duplicates, disorder and buckets that are not over', () => {
    const recent = recentOf(() => 10, NOON);
    const spoiled = [
      ...[...recent].reverse(),
      ...recent.map((b) => ({ ...b, arrivals: b.arrivals - 7 })),
      { ...arrivalBucket(NOON - 10_000, 9999), complete: true },
      { ...arrivalBucket(NOON + DAY_MS, 9999), complete: true },
    ];
    expect(forecast({ recent: spoiled })).toEqual(forecast({ recent }));
  });

  it.each([1, 2, 4, 10, 20, 60, 120])('stays within a tenth of a demand that flaps by a tenth, every %i buckets', (period) => {
    const level = 100;
    const flapping: RateAt = (ms) => level * (Math.floor(ms / (period * BUCKET_SECONDS * 1000)) % 2 === 0 ? 1.1 : 0.9);
    const rates = Array.from({ length: 2 * period + 60 }, (_, i) => {
      const nowMs = NOON + i * BUCKET_SECONDS * 1000;
      return forecast({ recent: recentOf(flapping, nowMs), nowMs }).demand.requestsPerSecond;
    });
    const [least, most] = [Math.min(...rates), Math.max(...rates)];
    expect((most - least) / (most + least)).toBeLessThan(0.1);
    expect(least).toBeGreaterThan(0.9 * level);
    // Above the flapping itself there is only what chance may add.
    expect(most).toBeLessThan(1.1 * level + 1.65 * Math.sqrt((1.1 * level) / 200));
  });

  it('sees a flash crowd within three minutes, and keeps ready for it for a while', () => {
    const crowd: RateAt = (ms) => (ms >= NOON && ms < NOON + 10 * 60_000 ? 100 : 10);
    const at = (minutes: number) => {
      const nowMs = NOON + minutes * 60_000;
      return forecast({ recent: recentOf(crowd, nowMs), nowMs }).demand.requestsPerSecond;
    };
    expect(at(0)).toBeLessThan(12);
    expect(at(3)).toBeGreaterThanOrEqual(100);
    expect(at(20)).toBeGreaterThan(50);
    expect(at(50)).toBeLessThan(12);
  });

  it('counts what is not complete as the least there is', () => {
    const recent = recentOf((ms) => (ms > NOON - 3 * 60_000 ? 40 : 10), NOON);
    const last = (minutes: number) => (b: RecentBucket) => ({ ...b, complete: b.bucketStartMs < NOON - minutes * 60_000 });
    const rising = forecast({ recent: recent.map(last(3)) });
    expect(rising.parts.level).toBeCloseTo(10);
    expect(rising.demand.requestsPerSecond).toBeGreaterThanOrEqual(40);
    const open = recentOf((ms) => (ms > NOON - 3 * 60_000 ? 1 : 10), NOON).map(last(3));
    expect(forecast({ recent: open }).parts.level).toBeCloseTo(10);
  });
});

describe('with a history', () => {
  it('does not take one day for a pattern', () => {
    expect(seen(doublesAtTwo, 1, BEFORE_TWO)).toMatchObject({ basis: 'recent', parts: { seasonalFactor: 1 } });
  });

  it('carries the level along what was seen on several days, to the largest rate within the horizon', () => {
    const { basis, parts, demand } = seen(doublesAtTwo, 8, BEFORE_TWO);
    expect(basis).toBe('daily');
    expect(parts.seasonalFactor).toBeGreaterThan(1.6);
    expect(demand.requestsPerSecond).toBeGreaterThan(18);
    // An hour earlier the rise lies beyond the horizon, and behind it nothing is left to rise.
    expect(seen(doublesAtTwo, 8, BEFORE_TWO - HOUR_MS).parts.seasonalFactor).toBeCloseTo(1);
    expect(seen(doublesAtTwo, 8, NOON + 2.5 * HOUR_MS).parts.seasonalFactor).toBeCloseTo(1);
  });

  it('goes by the weekday where weekdays differ, from two weeks on', () => {
    const onThursdays: RateAt = (ms) => (weekday(ms) === 4 ? doublesAtTwo(ms) : 10);
    expect(seen(onThursdays, 10, BEFORE_TWO).basis).toBe('daily');
    const { basis, parts } = seen(onThursdays, 15, BEFORE_TWO);
    expect(basis).toBe('weekly');
    expect(parts.seasonalFactor).toBeGreaterThan(1.6);
    expect(seen(onThursdays, 15, BEFORE_TWO + DAY_MS).parts.seasonalFactor).toBeCloseTo(1, 1);
  });

  it.each([0.1, 3])('multiplies the pattern with the level of today, %d times that of other days', (today) => {
    const shifted: RateAt = (ms) => doublesAtTwo(ms) * (ms > BEFORE_TWO - 6 * HOUR_MS ? today : 1);
    const usual = seen(doublesAtTwo, 21, BEFORE_TWO).parts;
    const { level, seasonalFactor } = seen(shifted, 21, BEFORE_TWO).parts;
    expect(Math.abs(seasonalFactor / usual.seasonalFactor - 1)).toBeLessThan(0.2);
    expect(level / usual.level).toBeCloseTo(today, 1);
  });

  it('knows the morning after a night in which nothing comes', () => {
    const fromEight: RateAt = (ms) => (hour(ms) >= 8 && hour(ms) < 18 ? 5 : 0);
    const beforeEight = NOON - 4.1 * HOUR_MS;
    expect(seen(fromEight, 10, beforeEight).demand.requestsPerSecond).toBeGreaterThan(3);
    expect(seen(fromEight, 10, NOON - 9 * HOUR_MS).demand.requestsPerSecond).toBe(0);
    // A holiday: at nine the silence speaks.
    const holiday: RateAt = (ms) => (ms > NOON - 12 * HOUR_MS ? 0 : fromEight(ms));
    expect(seen(holiday, 10, NOON - 3 * HOUR_MS).demand.requestsPerSecond).toBeLessThan(0.5);
  });

  it('does not multiply a crowd in a quiet hour by the rise to a busy one', () => {
    const fromEight: RateAt = (ms) => (hour(ms) >= 8 ? 5 : 0.01);
    const crowd: RateAt = (ms) => (ms > NOON - 5 * HOUR_MS ? 100 : fromEight(ms));
    const rate = seen(crowd, 20, NOON - 4.1 * HOUR_MS).demand.requestsPerSecond;
    expect(rate).toBeGreaterThan(100);
    expect(rate).toBeLessThan(150);
  });

  it('goes on by what is usual, up to a busy day, while nothing is known of the last minutes', () => {
    const history = historyOf((ms) => (weekday(ms) === 1 ? 12 : 10), NOON, 10);
    const { demand, basis, parts } = forecast({ history });
    expect(basis).toBe('daily');
    expect(parts.level).toBeCloseTo((10 * 9 + 12) / 10, 1);
    expect(demand.requestsPerSecond).toBeCloseTo(12);
  });

  it('goes on by what was known last where there is no pattern either', () => {
    const history = historyOf((ms) => (ms > NOON - 20 * HOUR_MS ? 50 : 10), NOON - 3 * HOUR_MS, 1);
    expect(forecast({ history })).toMatchObject({ demand: { requestsPerSecond: 50 }, basis: 'recent' });
  });

  it('leaves out days of which nothing is known', () => {
    const whole = historyOf(doublesAtTwo, BEFORE_TWO, 8);
    const known = whole.filter((b) => b.bucketStartMs < BEFORE_TWO - 3.5 * DAY_MS);
    const { basis, parts } = forecast({ recent: recentOf(doublesAtTwo, BEFORE_TWO), history: known, nowMs: BEFORE_TWO });
    expect(basis).toBe('daily');
    expect(parts.seasonalFactor).toBeGreaterThan(1.6);
  });

  it('is led astray neither by one flash crowd nor by one outage', () => {
    const steady = forecast({ recent: recentOf(() => 10, NOON), history: historyOf(() => 10, NOON, 20) });
    for (const rate of [200, 0]) {
      const oneDay: RateAt = (ms) => (ms > NOON - 4 * DAY_MS && ms < NOON - 4 * DAY_MS + HOUR_MS ? rate : 10);
      const { parts } = forecast({ recent: recentOf(() => 10, NOON), history: historyOf(oneDay, NOON, 20) });
      expect(parts.level * parts.seasonalFactor).toBeCloseTo(steady.parts.level, 0);
    }
  });

  it('looks at Unix time: the day on which clocks change is a day like others', () => {
    const nowMs = Date.UTC(2026, 2, 29, 13, 57); // the last Sunday of March
    expect(seen(doublesAtTwo, 8, nowMs).parts.seasonalFactor).toBeCloseTo(seen(doublesAtTwo, 8, BEFORE_TWO).parts.seasonalFactor);
  });
});

describe('lengths', () => {
  const long = (bucket: ArrivalBucket, input: number, output: number | null): ArrivalBucket => ({
    ...bucket,
    input: { requests: bucket.arrivals, tokens: bucket.arrivals * input, squares: bucket.arrivals * input ** 2 },
    output: output === null ? bucket.output : { requests: 1, tokens: output, squares: output ** 2 },
  });
  const recent = (input: number, output: number | null) => recentOf(() => 10, NOON).map((b) => ({ ...b, ...long(b, input, output) }));

  it('are those observed, and the declared where nothing tells', () => {
    expect(forecast({ recent: recent(500, null) }).demand).toMatchObject({ inputTokens: 500, outputTokens: 200 });
  });

  it('leave out what is not complete: the short answers end first', () => {
    const open = recent(500, 40).map((b, i) =>
      i < 50 ? b : { ...b, complete: false, output: { requests: 300, tokens: 300, squares: 300 } },
    );
    expect(forecast({ recent: open }).demand.outputTokens).toBe(40);
  });

  it('are steadied by earlier ones where few requests came', () => {
    const history = historyOf(() => 10, NOON, 3).map((b) => long(b, 400, 40));
    const few = recentOf((ms) => (ms > NOON - 60_000 ? 50 / 60 : 0), NOON).map((b) => ({ ...b, ...long(b, 1000, null) }));
    expect(forecast({ recent: few, history }).demand.inputTokens).toBeCloseTo((50 * 1000 + 100 * 400) / 150);
    expect(forecast({ recent: recent(1000, 40), history }).demand.inputTokens).toBeGreaterThan(990);
  });

  it('come with their variation', () => {
    const mixed = recent(100, null).map((b, i) => ({ ...b, ...long(b, i % 2 === 0 ? 100 : 300, null) }));
    const { inputVariation, outputVariation } = forecast({ recent: mixed });
    expect(inputVariation).toBeCloseTo(0.5, 1);
    expect(outputVariation).toBeNull();
  });
});

it('is a rate and lengths, whatever it is told', () => {
  const sums = fc
    .record({ requests: fc.nat(50), tokens: fc.nat(1e6), squares: fc.nat(1e9) })
    .map((s) => (s.requests > 0 && s.tokens > 0 ? s : { requests: 0, tokens: 0, squares: 0 }));
  const bucket = (width: number, count: number) =>
    fc.record({
      bucketStartMs: fc.integer({ min: -count, max: 5 }).map((i) => Math.floor(NOON / width) * width + i * width),
      arrivals: fc.oneof(fc.constant(0), fc.nat(10), fc.nat(1e6)),
      input: sums,
      output: sums,
      complete: fc.boolean(),
    });
  const input = fc.record({
    recent: fc.array(bucket(BUCKET_SECONDS * 1000, 60), { maxLength: 80 }),
    history: fc.array(bucket(900_000, 4 * 96), { maxLength: 200 }),
    horizonMs: fc.nat(4 * HOUR_MS),
  });
  fc.assert(
    fc.property(input, (told) => {
      const { demand, parts } = forecast(told);
      for (const rate of [demand.requestsPerSecond, ...Object.values(parts)]) {
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThan(Number.POSITIVE_INFINITY);
      }
      expect(demandSchema.safeParse({ ...demand, requestsPerSecond: Math.min(demand.requestsPerSecond, 1e6) }).success).toBe(true);
    }),
    { numRuns: 300 },
  );
});
