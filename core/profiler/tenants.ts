/**
 * What is a tenant's own among a model's answers: how much longer or shorter they are than lengths and words make one expect, where its
 * quantiles lie, and how far its answers scatter. One whose answers nobody could predict teaches nothing about the others: they must not
 * follow it about.
 */
import { z } from 'zod';
import { bucketOf } from './features.ts';

/** Tenants share buckets by hash: a snapshot stays small however many there are. */
const BUCKETS = 32;
/** Levels look back over about this many observations of a bucket, spreads over fewer. */
const LEVEL_WINDOW = 1000;
const SPREAD_WINDOW = 100;
/** With fewer a bucket's spread is not judged. */
const LEAST_OBSERVATIONS = 30;
/** A spread up to this many times the least one is nothing unusual. */
const USUAL = 2;
/** Differences below this, in ln(tokens), are no sign of anything: some tenants ask for the same thing every time. */
const LEAST_SPREAD = 0.3;
/** An answer counts as no further off than this, in ln(tokens). */
const FURTHEST = 4;
/** Uncertainty of a level before anything was observed, in units of the noise. */
const PRIOR_VARIANCE = 0.25;

const numbers = z.array(z.number()).length(BUCKETS);
const positives = z.array(z.number().nonnegative()).length(BUCKETS);

export const tenantsSchema = z.object({
  observations: z.array(z.number().int().nonnegative()).length(BUCKETS),
  /** To be added to the expectation of ln(output tokens), and how unsure that is. */
  level: numbers,
  variance: positives,
  /** Mean absolute residual of ln(output tokens), about the level. */
  spread: positives,
  /** To be added to the offsets of the quantiles. */
  offset50: numbers,
  offset90: numbers,
});
export type Tenants = z.infer<typeof tenantsSchema>;

export const tenantBucket = (tenant: string): number => bucketOf(`tenant ${tenant}`, BUCKETS);

const all = (value: number) => new Array<number>(BUCKETS).fill(value);

export function noTenants(): Tenants {
  return {
    observations: all(0),
    level: all(0),
    variance: all(PRIOR_VARIANCE),
    spread: all(0),
    offset50: all(0),
    offset90: all(0),
  };
}

/** Of another model: what is known of its answers there is where to start from, until the model itself is known (`heldOf`). */
export function tenantsFrom({ level, offset50, offset90 }: Tenants): Tenants {
  return { ...noTenants(), level: [...level], offset50: [...offset50], offset90: [...offset90] };
}

/** Nothing is known of the bucket any more. @returns the same object where nothing was */
export function withoutBucket(tenants: Tenants, bucket: number): Tenants {
  const none = noTenants();
  const fields = Object.keys(none) as (keyof Tenants)[];
  if (fields.every((field) => tenants[field][bucket] === none[field][bucket])) return tenants;
  return Object.fromEntries(fields.map((field) => [field, tenants[field].with(bucket, none[field][bucket]!)])) as Tenants;
}

/** What another model taught of a tenant counts half when a model has so many answers, all of them of others. */
const HALF_HELD = 20;

/** The part that counts of a tenant's level and offsets, 0 to 1. @param answers that the model has in all */
export function heldOf({ observations }: Tenants, bucket: number, answers: number): number {
  return observations[bucket]! > 0 ? 1 : HALF_HELD / (HALF_HELD + answers);
}

/** Before the first of a tenant's answers is learned from: what counted so far is where its own begins, in place. */
export function settleTenant(tenants: Tenants, bucket: number, answers: number): void {
  const held = heldOf(tenants, bucket, answers);
  if (held === 1) return;
  for (const values of [tenants.level, tenants.offset50, tenants.offset90]) values[bucket]! *= held;
}

/**
 * Counts a residual in, in place.
 * @returns variance of this tenant's answers over the usual one's, at least 1
 */
export function noiseOf({ observations, spread }: Tenants, bucket: number, residual: number): number {
  const noise = judged(observations, spread, bucket);
  const seen = ++observations[bucket]!;
  spread[bucket]! += (Math.min(FURTHEST, Math.abs(residual)) - spread[bucket]!) / Math.min(seen, SPREAD_WINDOW);
  return noise;
}

/** Mean absolute residual of a tenant's answers; 0 where too few were seen. */
export function spreadOf({ observations, spread }: Tenants, bucket: number): number {
  return observations[bucket]! < LEAST_OBSERVATIONS ? 0 : spread[bucket]!;
}

function judged(observations: readonly number[], spread: readonly number[], bucket: number): number {
  if (observations[bucket]! < LEAST_OBSERVATIONS) return 1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < BUCKETS; i++) if (observations[i]! >= LEAST_OBSERVATIONS && spread[i]! < least) least = spread[i]!;
  return Math.max(1, spread[bucket]! / (USUAL * Math.max(LEAST_SPREAD, least))) ** 4;
}

/**
 * Moves a tenant's level towards explaining a residual, in place: a Kalman step beside that of what all tenants share.
 * @param others variance of the observation as far as it does not come of the level: noise, and what all share
 */
export function moveLevel({ level, variance }: Tenants, bucket: number, residual: number, others: number): void {
  const gain = variance[bucket]! / (variance[bucket]! + others);
  level[bucket]! += Math.max(gain, 1 / LEVEL_WINDOW) * residual;
  variance[bucket]! *= 1 - gain;
}

/** The answers have changed: what is known of levels is unsure again, in place. */
export function loosenLevels({ variance }: Tenants): void {
  variance.fill(PRIOR_VARIANCE);
}
