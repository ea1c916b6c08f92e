/** The two distributions that the capacity model uses. */

/**
 * Quantile of the standard normal distribution, 0 < p < 1, to within 4.5e-4.
 * Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23.
 */
export function normalQuantile(p: number): number {
  if (p < 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(Math.max(1 - p, 1e-9)));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/** Quantile of the log-normal distribution with this mean and variance. */
export function logNormalQuantile(p: number, mean: number, variance: number): number {
  const spread = Math.log(1 + variance / mean ** 2);
  return mean * Math.exp(Math.sqrt(spread) * normalQuantile(p) - spread / 2);
}

/** Five points of Gauss-Hermite quadrature for the standard normal distribution. Source: Abramowitz and Stegun, table 25.10, rescaled. */
const POINTS: readonly (readonly [z: number, weight: number])[] = [
  [-2.85697, 0.0112574],
  [-1.355626, 0.2220759],
  [0, 0.5333333],
  [1.355626, 0.2220759],
  [2.85697, 0.0112574],
];

export interface Point {
  value: number;
  weight: number;
}

/** Weighted points that stand for the log-normal distribution with this mean and coefficient of variation. */
export function logNormalPoints(mean: number, variation: number): Point[] {
  const spread = Math.log(1 + variation ** 2);
  return POINTS.map(([z, weight]) => ({ value: mean * Math.exp(Math.sqrt(spread) * z - spread / 2), weight }));
}
