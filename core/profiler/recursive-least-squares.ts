/**
 * Recursive least squares, as a Kalman filter whose state drifts: the newest thousand observations or so count, and a feature that is
 * rarely seen keeps what it knew (plain exponential forgetting would blow its variance up). The covariance is symmetric; its upper
 * triangle lies packed by rows.
 */
import { FEATURE_COUNT } from './features.ts';

export const COVARIANCE_LENGTH = (FEATURE_COUNT * (FEATURE_COUNT + 1)) / 2;

/** Variance that each weight gains per observation, in units of the noise: about 1 / window^2. */
const DRIFT = 1e-6;

/** Place of element (row, column), row <= column, in the packed triangle. */
export function packedIndex(row: number, column: number): number {
  return row * FEATURE_COUNT - (row * (row - 1)) / 2 + column - row;
}

export function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** What the weights leave unsure at `x`, in units of the noise. */
export function varianceAt(covariance: readonly number[], x: readonly number[]): number {
  let sum = 0;
  for (let i = 0, k = 0; i < FEATURE_COUNT; i++) {
    for (let j = i; j < FEATURE_COUNT; j++, k++) sum += (i === j ? 1 : 2) * covariance[k]! * x[i]! * x[j]!;
  }
  return sum;
}

const gain = new Array<number>(FEATURE_COUNT).fill(0);

/**
 * Moves `weights` towards explaining `residual` at `x`, and `covariance` with them, in place. Allocates nothing.
 * @param maxVariance a weight's variance drifts no further than this
 * @param noise variance of this observation, in units of the usual one
 */
export function updateWeights(
  weights: number[],
  covariance: number[],
  x: readonly number[],
  residual: number,
  maxVariance: (feature: number) => number,
  noise = 1,
): void {
  gain.fill(0);
  for (let i = 0, k = 0; i < FEATURE_COUNT; i++) {
    for (let j = i; j < FEATURE_COUNT; j++, k++) {
      gain[i]! += covariance[k]! * x[j]!;
      if (j !== i) gain[j]! += covariance[k]! * x[i]!;
    }
  }
  const innovation = noise + dot(gain, x);
  for (let i = 0, k = 0; i < FEATURE_COUNT; i++) {
    weights[i]! += (gain[i]! / innovation) * residual;
    for (let j = i; j < FEATURE_COUNT; j++, k++) covariance[k]! -= (gain[i]! * gain[j]!) / innovation;
    const diagonal = packedIndex(i, i);
    if (covariance[diagonal]! < maxVariance(i)) covariance[diagonal]! += DRIFT;
  }
}
