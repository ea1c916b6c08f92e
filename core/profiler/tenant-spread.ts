/**
 * How far tenants' answers lie from what was expected of them. One whose answers nobody could predict teaches less: its observations are as
 * noisy as they are, and the other tenants' predictions must not follow them about.
 */
import { z } from 'zod';
import { bucketOf } from './features.ts';

/** Tenants share buckets by hash: a snapshot stays small however many there are. */
const BUCKETS = 32;
/** Running means look back over about this many observations of a bucket. */
const WINDOW = 100;
/** With fewer a bucket is not judged. */
const LEAST_OBSERVATIONS = 30;
/** A spread up to this many times the least one is nothing unusual. */
const USUAL = 2;
/** Differences below this, in ln(tokens), are no sign of anything: some tenants ask for the same thing every time. */
const LEAST_SPREAD = 0.3;

export const tenantSpreadSchema = z.object({
  observations: z.array(z.number().int().nonnegative()).length(BUCKETS),
  /** Mean absolute residual of ln(output tokens). */
  spread: z.array(z.number().nonnegative()).length(BUCKETS),
});
export type TenantSpread = z.infer<typeof tenantSpreadSchema>;

export function emptyTenantSpread(): TenantSpread {
  return { observations: new Array<number>(BUCKETS).fill(0), spread: new Array<number>(BUCKETS).fill(0) };
}

/**
 * Counts a residual in, in place.
 * @returns variance of this tenant's answers over the usual one's, at least 1
 */
export function noiseOf(known: TenantSpread, tenant: string, residual: number): number {
  const bucket = bucketOf(`spread ${tenant}`, BUCKETS);
  const noise = judged(known, bucket);
  const seen = ++known.observations[bucket]!;
  known.spread[bucket]! += (Math.abs(residual) - known.spread[bucket]!) / Math.min(seen, WINDOW);
  return noise;
}

function judged({ observations, spread }: TenantSpread, bucket: number): number {
  if (observations[bucket]! < LEAST_OBSERVATIONS) return 1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < BUCKETS; i++) if (observations[i]! >= LEAST_OBSERVATIONS && spread[i]! < least) least = spread[i]!;
  return Math.max(1, spread[bucket]! / (USUAL * Math.max(LEAST_SPREAD, least))) ** 4;
}
