/**
 * How long the longest of several answers will be. A static batch takes as long as its longest member, and the longest of ten uncertain
 * answers is far longer than the median of each.
 *
 * Lengths are taken for independent lognormals through the predicted p50 and p90. The logarithm of their maximum is approximated as normal,
 * one member at a time. Source: C. E. Clark, The Greatest of a Finite Set of Random Variables, Operations Research 9 (1961).
 */
import { Z90 } from '../domain/statistics.ts';

const TABLE_LIMIT = 6;
const TABLE_STEPS_PER_UNIT = 256;
const TABLE = normalTable();

/** Mean and variance of ln(output tokens). */
export interface LogLength {
  readonly mean: number;
  readonly variance: number;
}

export function logLengthOf({ p50, p90 }: { readonly p50: number; readonly p90: number }): LogLength {
  const median = Math.max(1, p50);
  const deviation = Math.log(Math.max(median, p90) / median) / Z90;
  return { mean: Math.log(median), variance: deviation * deviation };
}

/** Of the larger of the two; written into `into`, which may be either. */
export function larger(a: LogLength, b: LogLength, into: { mean: number; variance: number }): void {
  const spread = Math.sqrt(a.variance + b.variance);
  if (spread < 1e-9) {
    const { mean, variance } = a.mean >= b.mean ? a : b;
    into.mean = mean;
    into.variance = variance;
    return;
  }
  const z = (a.mean - b.mean) / spread;
  const share = normalCdf(z);
  const density = spread * 0.3989422804 * Math.exp(-z * z * 0.5);
  const mean = a.mean * share + b.mean * (1 - share) + density;
  const square = (a.mean * a.mean + a.variance) * share + (b.mean * b.mean + b.variance) * (1 - share) + (a.mean + b.mean) * density;
  into.mean = mean;
  into.variance = Math.max(0, square - mean * mean);
}

/** Standard normal distribution function, within 1e-5; from a table, since plans ask for it millions of times. */
export function normalCdf(z: number): number {
  if (z <= -TABLE_LIMIT) return 0;
  if (z >= TABLE_LIMIT) return 1;
  const place = (z + TABLE_LIMIT) * TABLE_STEPS_PER_UNIT;
  const index = place | 0;
  const left = TABLE[index] as number;
  return left + (place - index) * ((TABLE[index + 1] as number) - left);
}

/** Integrates the density by Simpson's rule, once. */
function normalTable(): Float64Array {
  const table = new Float64Array(2 * TABLE_LIMIT * TABLE_STEPS_PER_UNIT + 2);
  const density = (z: number) => Math.exp(-z * z * 0.5) / Math.sqrt(2 * Math.PI);
  const h = 1 / TABLE_STEPS_PER_UNIT;
  for (let i = 1; i < table.length; i++) {
    const from = -TABLE_LIMIT + (i - 1) * h;
    table[i] = Math.min(1, (table[i - 1] as number) + (h / 6) * (density(from) + 4 * density(from + h / 2) + density(from + h)));
  }
  return table;
}
