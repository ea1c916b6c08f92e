/** Forecasts of random traffic, each made from what was known at its moment and compared with what came. */
import { describe, expect, it } from 'vitest';
import { arrivalBucket, BUCKET_SECONDS, poisson } from '../../../test/support/arrivals.ts';
import { mean } from '../../domain/statistics.ts';
import { createRandom, normal, type Random } from '../../simulator/random.ts';
import { HISTORY_BUCKET_MS } from './arrivals.ts';
import { forecastDemand } from './forecast.ts';
import { levelOf } from './level.ts';
import { seasonsOf } from './season.ts';

const DAYS = 20;
const WARM_UP_DAYS = 15;
const WIDTH_MS = BUCKET_SECONDS * 1000;
const PER_DAY = 86_400_000 / WIDTH_MS;
const PER_HISTORY_BUCKET = HISTORY_BUCKET_MS / WIDTH_MS;
const PER_MINUTE = 60 / BUCKET_SECONDS;
const declared = { requestsPerSecond: 1, inputTokens: 1000, outputTokens: 200 };

/** Counts in buckets: a day between 0.4 and 1.6 of the mean, quieter weekends, a level that wanders by 10 %, now and then a burst. */
function traffic(random: Random, requestsPerSecond: number, bursts: boolean): number[] {
  let wander = 0;
  let burst = { left: 0, factor: 1 };
  return Array.from({ length: DAYS * PER_DAY }, (_, i) => {
    const day = Math.floor(i / PER_DAY);
    const daily = 1 + 0.6 * Math.sin(2 * Math.PI * ((i % PER_DAY) / PER_DAY - 0.375));
    wander = 0.97 * wander + Math.sqrt(1 - 0.97 ** 2) * 0.1 * normal(random);
    if (bursts && burst.left === 0 && random() < 1 / 720) burst = { left: 10 + Math.floor(20 * random()), factor: 2 + 2 * random() };
    burst.left = Math.max(0, burst.left - 1);
    const rate = requestsPerSecond * daily * (day % 7 >= 5 ? 0.4 : 1) * Math.exp(wander) * (burst.left > 0 ? burst.factor : 1);
    return poisson(random, rate * BUCKET_SECONDS);
  });
}

/**
 * Mean relative errors, of what is expected `ahead` minutes from each moment and of the last ten minutes' mean, against the five minutes there;
 * and the share of the five minutes until then that the forecast covered.
 */
function evaluate(counts: readonly number[], ahead: number) {
  const rate = (from: number, to: number) => counts.slice(from, to).reduce((a, b) => a + b, 0) / ((to - from) * BUCKET_SECONDS);
  const all = Array.from({ length: counts.length / PER_HISTORY_BUCKET }, (_, i) =>
    arrivalBucket(i * HISTORY_BUCKET_MS, (rate(i * PER_HISTORY_BUCKET, (i + 1) * PER_HISTORY_BUCKET) * HISTORY_BUCKET_MS) / 1000),
  );
  const errors: number[] = [];
  const naive: number[] = [];
  const covered: number[] = [];
  for (let now = WARM_UP_DAYS * PER_DAY; now + (ahead + 5) * PER_MINUTE < counts.length; now += 47) {
    const nowMs = now * WIDTH_MS;
    const first = now - 30 * PER_MINUTE;
    const recent = counts.slice(first, now).map((count, i) => ({ ...arrivalBucket((first + i) * WIDTH_MS, count), complete: true }));
    const history = all.slice(0, Math.floor(now / PER_HISTORY_BUCKET));
    const around = (minutes: number) => rate(now + (minutes - 2.5) * PER_MINUTE, now + (minutes + 2.5) * PER_MINUTE);
    const level = levelOf(recent, BUCKET_SECONDS)!;
    const expected = level.requestsPerSecond * seasonsOf(history)(level.atMs, nowMs + ahead * 60_000).factor;
    errors.push(Math.abs(expected / around(ahead) - 1));
    naive.push(Math.abs(rate(now - 10 * PER_MINUTE, now) / around(ahead) - 1));
    const { demand } = forecastDemand({ declared, recent, bucketSeconds: BUCKET_SECONDS, history, nowMs, horizonMs: ahead * 60_000 });
    for (let minutes = 5; minutes <= ahead; minutes += 5) covered.push(around(minutes) <= demand.requestsPerSecond ? 1 : 0);
  }
  return { error: mean(errors), naive: mean(naive), covered: mean(covered) };
}

describe.each([
  ['a request a second', 1, false],
  ['20 requests a second', 20, false],
  ['20 requests a second, with bursts', 20, true],
])('%s', (name, requestsPerSecond, bursts) => {
  const counts = traffic(createRandom(name), requestsPerSecond, bursts);

  it.each([
    [15, 1.05],
    [60, 0.9],
  ])("is covered for %i minutes, with an error of at most %d times the last mean's", (minutes, most) => {
    const { error, naive, covered } = evaluate(counts, minutes);
    expect(covered).toBeGreaterThan(0.94);
    expect(error).toBeLessThan(naive * most);
  });
});
