/** Exact tests of counts, for where a few requests must tell. One-sided; each answers with the chance of what was seen, or more of it, under "no difference". */

export interface Count {
  /** How many of `of`. */
  hits: number;
  of: number;
}

/**
 * The chance that so many hits, or more, fall on `a` where `a` and `b` have the same share of hits. Source: Fisher's exact test, the
 * hypergeometric tail.
 */
export function chanceOfAsManyIn(a: Count, b: Count): number {
  const hits = a.hits + b.hits;
  const all = a.of + b.of;
  const whole = lnChoose(all, hits);
  let chance = 0;
  for (let x = a.hits; x <= Math.min(a.of, hits); x++) chance += Math.exp(lnChoose(a.of, x) + lnChoose(b.of, hits - x) - whole);
  return Math.min(1, chance);
}

/** The chance of at most so many hits where each of `of` is one with probability `share`, 0 to 1. The binomial tail. */
export function chanceOfAsFew({ hits, of }: Count, share: number): number {
  if (share <= 0) return 1;
  if (share >= 1) return hits >= of ? 1 : 0;
  let chance = 0;
  for (let x = 0; x <= hits; x++) chance += Math.exp(lnChoose(of, x) + x * Math.log(share) + (of - x) * Math.log1p(-share));
  return Math.min(1, chance);
}

/** -Infinity where there is no such choice. */
function lnChoose(n: number, k: number): number {
  return k < 0 || k > n ? Number.NEGATIVE_INFINITY : lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);
}

/** By Stirling's series; below 10, where that is coarse, by multiplication. */
function lnFactorial(n: number): number {
  if (n < 10) {
    let product = 1;
    for (let i = 2; i <= n; i++) product *= i;
    return Math.log(product);
  }
  const z = 1 / (n * n);
  return (n + 0.5) * Math.log(n) - n + 0.9189385332046727 + (1 / 12 - z * (1 / 360 - z / 1260)) / n;
}
