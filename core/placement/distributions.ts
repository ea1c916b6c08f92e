/** The distributions that the capacity model uses. */

/**
 * Quantile of the standard normal distribution, 0 < p < 1, to within 4.5e-4.
 * Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23.
 */
export function normalQuantile(p: number): number {
  if (p < 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(Math.max(1 - p, 1e-9)));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/** The standard normal distribution function, to within 1e-5. Source: Abramowitz and Stegun, 26.2.16. */
export function normalShare(z: number): number {
  const t = 1 / (1 + 0.33267 * Math.abs(z));
  const above = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * t * (0.4361836 + t * (-0.1201676 + t * 0.937298));
  return z > 0 ? 1 - above : above;
}

/** Quantile of the log-normal distribution with this mean and variance. */
export function logNormalQuantile(p: number, mean: number, variance: number): number {
  const spread = Math.log(1 + variance / mean ** 2);
  return mean * Math.exp(Math.sqrt(spread) * normalQuantile(p) - spread / 2);
}

/** Share of the log-normal distribution with this mean and variance at or below x. */
export function logNormalShare(x: number, mean: number, variance: number): number {
  if (x <= 0) return 0;
  const spread = Math.log(1 + variance / mean ** 2);
  return spread > 0 ? normalShare((Math.log(x / mean) + spread / 2) / Math.sqrt(spread)) : x >= mean ? 1 : 0;
}

/** Share at or below x of the beta distribution on 0..1 with this mean and variance, which is less than mean (1 - mean). */
export function betaShare(x: number, mean: number, variance: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const sum = Math.max(0.01, (mean * (1 - mean)) / variance - 1);
  const a = mean * sum;
  const b = sum - a;
  const front = Math.exp(logGamma(sum) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  // The continued fraction is quick on one side only; the other is its mirror image.
  return x < (a + 1) / (sum + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

/** Continued fraction of the incomplete beta function by Lentz's method. Source: Abramowitz and Stegun, 26.5.8. */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 200; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-7) break;
  }
  return fraction;
}

/** Not quite 0, since it divides. */
function away(value: number): number {
  return Math.abs(value) < 1e-30 ? 1e-30 : value;
}

/** Logarithm of the gamma function for x > 0, by Stirling's series beyond 7 and recurrence below. */
function logGamma(x: number): number {
  let shift = 1;
  let y = x;
  for (; y < 7; y++) shift *= y;
  const z = 1 / (y * y);
  return (y - 0.5) * Math.log(y) - y + 0.9189385332046727 + (1 / 12 - z * (1 / 360 - z / 1260)) / y - Math.log(shift);
}
