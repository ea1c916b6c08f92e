/**
 * How the rate usually changes from one time of the day to another: a multiplicative seasonal index, the rate ahead over the rate of the
 * moment, from the same two times of earlier days. Only the ratio counts: the present level carries it, whatever the levels were.
 *
 * Each index counts for as much as it is certain: that of all days is drawn towards 1 by its error (James and Stein's positive part), that of
 * the same weekday towards the one of all days by its credibility (Bühlmann and Straub 1970). Days weigh by their rates, up to the median's.
 */
import { mean, quantile } from '../../domain/statistics.ts';
import { type ArrivalBucket, HISTORY_BUCKET_MS } from './arrivals.ts';

export type SeasonBasis = 'recent' | 'daily' | 'weekly';

export interface Season {
  /** Where the factor comes from: the weekday's own pattern, that of all days, or none. */
  basis: SeasonBasis;
  /** The rate ahead over the rate of the moment. */
  factor: number;
  /** Of that ratio: how it varies from day to day, and how far the factor may be wrong. */
  variance: number;
  /** What came on such days, requests a second; null where no pattern is known. */
  usual: { now: number; ahead: number; busy: number } | null;
}

/** How far back days are looked at. */
export const HISTORY_DAYS = 28;
const DAY_MS = 86_400_000;
/** A pattern is one from the second time it is seen. */
const LEAST_SEEN = 2;
/** A day's ratio counts for at most so many times the median, and at least that part of it: outages and flash crowds come once. */
const MOST_FROM_MEDIAN = 3;
/** Share of the days on which less comes than on a busy one. */
const BUSY_DAY = 0.95;

/** Rates are compared over ten minutes, as the level is found. */
const HALF_MS = 5 * 60_000;

const NO_SEASON: Season = { basis: 'recent', factor: 1, variance: 0, usual: null };

interface Day {
  /** Days since the weekday of the moment, 0 to 6. */
  weekday: number;
  now: number;
  ahead: number;
}

/** Of a history of buckets, each once, absent where unknown: the season between two moments, Unix ms. */
export function seasonsOf(history: readonly ArrivalBucket[]): (nowMs: number, aheadMs: number) => Season {
  const arrivals = new Map(history.map((b) => [b.bucketStartMs, b.arrivals]));
  return (nowMs, aheadMs) => {
    const days: Day[] = [];
    for (let ago = 1; ago <= HISTORY_DAYS; ago++) {
      const now = rateAt(arrivals, nowMs - ago * DAY_MS);
      const ahead = rateAt(arrivals, aheadMs - ago * DAY_MS);
      if (now !== null && ahead !== null) days.push({ weekday: ago % 7, now, ahead });
    }
    return days.length < LEAST_SEEN ? NO_SEASON : seasonOf(days);
  };
}

/** The mean rate of the ten minutes around a moment; null where a part of them is unknown. */
function rateAt(arrivals: ReadonlyMap<number, number>, ms: number): number | null {
  let sum = 0;
  for (let start = Math.floor((ms - HALF_MS) / HISTORY_BUCKET_MS) * HISTORY_BUCKET_MS; start < ms + HALF_MS; start += HISTORY_BUCKET_MS) {
    const inBucket = arrivals.get(start);
    if (inBucket === undefined) return null;
    const overlapMs = Math.min(ms + HALF_MS, start + HISTORY_BUCKET_MS) - Math.max(ms - HALF_MS, start);
    sum += (inBucket * overlapMs) / HISTORY_BUCKET_MS;
  }
  return (sum * 1000) / (2 * HALF_MS);
}

function seasonOf(all: readonly Day[]): Season {
  const same = all.filter((d) => d.weekday === 0);
  const usual = usualOf(same.length < LEAST_SEEN ? all : same);
  const days = bounded(all.filter((d) => d.now > 0));
  if (days.length < LEAST_SEEN) return { ...NO_SEASON, basis: 'daily', usual };
  const index = indexOf(days);
  const perDay = scatter(days, index) / (days.length - 1) / (weightOf(days) / days.length);
  // Of few days the scatter itself is uncertain; the last factor makes up for that.
  const error = (perDay / days.length) * ((days.length + 1) / (days.length - 1));
  const daily = 1 + (index - 1) * Math.max(0, 1 - error / Math.max((index - 1) ** 2, Number.EPSILON));
  const own = weekdayIndex(days, index);
  const factor = own ? daily + own.credibility * (own.index - daily) : daily;
  // What is not believed of an index may be true all the same.
  const variance = (own?.perDay ?? perDay) + error + ((own?.index ?? index) - factor) ** 2;
  return { basis: own ? 'weekly' : 'daily', factor, variance, usual };
}

/** The index of the moment's weekday; null where that was not seen often enough, or weekdays differ no more than days do. */
function weekdayIndex(days: readonly Day[], index: number): { index: number; credibility: number; perDay: number } | null {
  const weekdays = Array.from({ length: 7 }, (_, weekday) => days.filter((d) => d.weekday === weekday)).filter((g) => g.length > 0);
  const same = days.filter((d) => d.weekday === 0);
  if (same.length < LEAST_SEEN || weekdays.length < 2) return null;
  const within = sum(weekdays, (g) => scatter(g, indexOf(g))) / (days.length - weekdays.length);
  const apart = sum(weekdays, (g) => weightOf(g) * (indexOf(g) - index) ** 2) - (weekdays.length - 1) * within;
  if (apart <= 0) return null;
  const weight = weightOf(days);
  const between = apart / (weight - sum(weekdays, (g) => weightOf(g) ** 2) / weight);
  const own = weightOf(same);
  return { index: indexOf(same), credibility: own / (own + within / between), perDay: within / (weight / days.length) };
}

function usualOf(days: readonly Day[]): Season['usual'] {
  const ahead = days.map((d) => d.ahead);
  return { now: mean(days.map((d) => d.now)), ahead: mean(ahead), busy: quantile(ahead, BUSY_DAY) };
}

/** The same days, their ratios not too far from the median, and none with more weight than the median day. */
function bounded(days: readonly Day[]): Day[] {
  const ratios = days.map((d) => d.ahead / d.now);
  const median = quantile(ratios, 0.5);
  if (days.length <= LEAST_SEEN || median === 0) return [...days];
  const heaviest = quantile(
    days.map((d) => d.now),
    0.5,
  );
  return days.map(({ weekday, now }, i) => {
    const weight = Math.min(now, heaviest);
    return { weekday, now: weight, ahead: weight * Math.min(median * MOST_FROM_MEDIAN, Math.max(median / MOST_FROM_MEDIAN, ratios[i]!)) };
  });
}

const weightOf = (days: readonly Day[]): number => sum(days, (d) => d.now);
const indexOf = (days: readonly Day[]): number => sum(days, (d) => d.ahead) / weightOf(days);
/** Weighted squares of the ratios around an index. */
const scatter = (days: readonly Day[], index: number): number => sum(days, (d) => d.now * (d.ahead / d.now - index) ** 2);

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
