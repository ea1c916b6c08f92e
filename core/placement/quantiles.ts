/** Quantiles of the two distributions that the capacity model uses. */

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
