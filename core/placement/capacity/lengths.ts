/**
 * Lengths as strata: a log-normal distribution cut at fixed shares, finer where it is long. Whatever grows with the length (time to prefill,
 * to wait, to decode) is computed at the edges and taken to be spread evenly between two of them.
 */
import { logNormalQuantile } from '../distributions.ts';

export interface Strata {
  /** Tokens; one more than there are weights. */
  readonly edges: readonly number[];
  /** Shares of the requests between two edges. */
  readonly weights: readonly number[];
}

/** The share of the longest length that counts. */
export const ALMOST_ALL = 0.99999;
const SHORTEST_SHARE = 2e-4;
/** Prompts decide TTFT, and attainment is lost at the longest. */
export const INPUT_SHARES = [
  0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.84, 0.87, 0.89, 0.905, 0.92, 0.935, 0.95, 0.96, 0.97, 0.98, 0.987, 0.992, 0.996, 0.999, 0.9999,
];
/** Of answers the short ones decide TPOT, since a single interruption weighs more there, and the long ones the end. */
export const OUTPUT_SHARES = [0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.96, 0.99, 0.999];

export function strataOf(meanTokens: number, variation: number, shares: readonly number[]): Strata {
  const at = (share: number) => logNormalQuantile(share, meanTokens, (meanTokens * variation) ** 2);
  return {
    edges: [SHORTEST_SHARE, ...shares, ALMOST_ALL].map(at),
    weights: [...shares, 1].map((share, i) => share - (shares[i - 1] ?? 0)),
  };
}

/** Mean of what is given at the edges. */
export function meanOf({ weights }: Strata, values: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += (weights[i]! * (values[i]! + values[i + 1]!)) / 2;
  return sum;
}

export function meanSquareOf({ weights }: Strata, values: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const [from, to] = [values[i]!, values[i + 1]!];
    sum += (weights[i]! * (from * from + from * to + to * to)) / 3;
  }
  return sum;
}

/** Mean of the lesser of it and a limit; values ascend. */
export function meanWithin({ weights }: Strata, values: readonly number[], limit: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    const [from, to] = [values[i]!, values[i + 1]!];
    const mean = limit >= to ? (from + to) / 2 : limit <= from ? limit : limit - (limit - from) ** 2 / (2 * (to - from));
    sum += weights[i]! * mean;
  }
  return sum;
}
