/**
 * What will be asked for: the level of the last minutes, carried along the daily and weekly pattern to the largest rate within the horizon,
 * and a margin for bursts. From arrivals, never from completions: an overloaded fleet completes less than it is asked for, and a forecast
 * from completions would take replicas away just when they are short.
 *
 * A bucket that is absent is unknown, not empty: while nobody reports, what is usual, what was known last, or what was declared is in force.
 * How many replicas stay in any case is the plan's to see to.
 */
import type { Demand } from '../../domain/deployment.ts';
import { type ArrivalBucket, arrivalsOf, HISTORY_BUCKET_MS, pastBuckets, type RecentBucket } from './arrivals.ts';
import { burstMargin } from './burst.ts';
import { lengthsOf } from './lengths.ts';
import { type Level, levelOf } from './level.ts';
import { type Season, type SeasonBasis, seasonsOf } from './season.ts';

export interface ForecastInput {
  /** In force while nothing is known of the deployment's arrivals. */
  declared: Demand;
  /** About half an hour, in buckets of `bucketSeconds`. */
  recent: readonly RecentBucket[];
  bucketSeconds: number;
  /** The last weeks, in buckets of `HISTORY_BUCKET_MS`; those at times of the day from now to the horizon suffice. */
  history: readonly ArrivalBucket[];
  nowMs: number;
  /** How far ahead capacity must be there: the time to the next plan and to load a model. */
  horizonMs?: number;
}

export interface Forecast {
  /** Its rate is `level * seasonalFactor + burstMargin`, the largest within the horizon. */
  demand: Demand;
  /** Coefficients of variation of the lengths; null where unknown. */
  inputVariation: number | null;
  outputVariation: number | null;
  /** What it rests on: the declaration, the last minutes alone, or also the pattern of the day or of the week. */
  basis: 'declared' | SeasonBasis;
  /** Requests a second, but for the factor. */
  parts: { level: number; seasonalFactor: number; burstMargin: number };
}

export const DEFAULT_HORIZON_MS = 15 * 60_000;
/** The horizon is looked at in steps of this. */
const STEP_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;
/** Of few requests the level says little: what is usual counts as much as so many of them. */
const USUAL_REQUESTS = 10;
/** The pattern multiplies so many times the usual rate; a crowd in a quiet hour is no reason to expect a thousand of them in a busy one. */
const MOST_OF_USUAL = 5;

type Rate = Pick<Forecast, 'basis' | 'parts'>;

export function forecastDemand(input: ForecastInput): Forecast {
  const { declared, bucketSeconds, nowMs } = input;
  const history = pastBuckets(input.history, HISTORY_BUCKET_MS, nowMs);
  const recent = sinceFirstArrival(pastBuckets(input.recent, bucketSeconds * 1000, nowMs), history.length > 0);
  const rate = rateAhead(recent, history, input) ?? {
    basis: 'declared',
    parts: { level: declared.requestsPerSecond, seasonalFactor: 1, burstMargin: 0 },
  };
  const complete = recent.filter((b) => b.complete);
  const inputs = lengthsOf(
    complete.map((b) => b.input),
    history.map((b) => b.input),
  );
  const outputs = lengthsOf(
    complete.map((b) => b.output),
    history.map((b) => b.output),
  );
  const { level, seasonalFactor, burstMargin: margin } = rate.parts;
  return {
    ...rate,
    demand: {
      requestsPerSecond: level * seasonalFactor + margin,
      inputTokens: inputs?.mean ?? declared.inputTokens,
      outputTokens: outputs?.mean ?? declared.outputTokens,
    },
    inputVariation: inputs?.variation ?? null,
    outputVariation: outputs?.variation ?? null,
  };
}

/** Of a deployment without a history the time before its first request says nothing: its clients had not come yet. */
function sinceFirstArrival(recent: readonly RecentBucket[], hasHistory: boolean): readonly RecentBucket[] {
  if (hasHistory) return recent;
  const first = recent.findIndex((b) => b.arrivals > 0);
  // That request came some time within its bucket.
  return first === -1 ? [] : recent.slice(first + 1);
}

/** null where neither the last minutes nor the last weeks tell. */
function rateAhead(
  recent: readonly RecentBucket[],
  history: readonly ArrivalBucket[],
  { bucketSeconds, nowMs, horizonMs = DEFAULT_HORIZON_MS }: ForecastInput,
): Rate | null {
  const level = levelOf(recent, bucketSeconds);
  const seasonBetween = seasonsOf(history);
  const steps = Math.ceil(horizonMs / STEP_MS);
  const seasons = Array.from({ length: steps + 1 }, (_, i) =>
    seasonBetween(level?.atMs ?? nowMs, nowMs + Math.min(i * STEP_MS, horizonMs)),
  );
  if (!level) return usualRate(seasons) ?? lastKnownRate(history);
  const now = level.requestsPerSecond;
  const rates = seasons.map((season) => expectedRate(level, season));
  const expected = Math.max(...rates);
  const { basis } = seasons[rates.indexOf(expected)]!;
  const parts = now > 0 ? { level: now, seasonalFactor: expected / now } : { level: expected, seasonalFactor: 1 };
  const seasonalDeviation = Math.max(...seasons.map((season) => multiplied(now, season) * Math.sqrt(season.variance)));
  return { basis, parts: { ...parts, burstMargin: burstMargin({ expected, level, seasonalDeviation, buckets: recent, bucketSeconds }) } };
}

/** The part of a rate that the pattern multiplies. */
function multiplied(rate: number, { usual }: Season): number {
  return usual ? Math.min(rate, usual.now * MOST_OF_USUAL) : rate;
}

function expectedRate(level: Level, season: Season): number {
  const { factor, usual } = season;
  const rate = level.requestsPerSecond;
  const carried = factor > 1 ? rate + multiplied(rate, season) * (factor - 1) : rate * factor;
  if (!usual) return carried;
  const requests = Math.max(level.arrivals, usual.now * level.seconds);
  return (requests * carried + USUAL_REQUESTS * usual.ahead) / (requests + USUAL_REQUESTS);
}

/** Where nothing is known of the last minutes: what is usual, up to a busy day; null without a pattern. */
function usualRate(seasons: readonly Season[]): Rate | null {
  const known = seasons.flatMap(({ basis, usual }) => (usual ? [{ basis, usual }] : []));
  const [first] = known.sort((a, b) => b.usual.busy - a.usual.busy);
  if (!first) return null;
  const { basis, usual } = first;
  return { basis, parts: { level: usual.ahead, seasonalFactor: 1, burstMargin: Math.max(0, usual.busy - usual.ahead) } };
}

/** The mean of the newest hour that is known, however long ago; null of no history. */
function lastKnownRate(history: readonly ArrivalBucket[]): Rate | null {
  const last = history.slice(-Math.round(HOUR_MS / HISTORY_BUCKET_MS));
  if (last.length === 0) return null;
  const level = arrivalsOf(last) / ((last.length * HISTORY_BUCKET_MS) / 1000);
  return { basis: 'recent', parts: { level, seasonalFactor: 1, burstMargin: 0 } };
}
