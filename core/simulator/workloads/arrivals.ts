/** Gaps between arrivals: renewal processes told by their coefficient of variation (CV; 1 is Poisson, more comes in bursts). */
import type { Random } from '../random.ts';
import { gamma } from './distributions.ts';

/** Gaps of mean 1: divide by a rate to have seconds. */
export interface Gaps {
  draw(random: Random): number;
  /**
   * From a moment at random to the next arrival: longer than a gap where these vary much, since most moments lie in long gaps. A process
   * that began with a whole gap instead would bring (CV² - 1) / 2 requests too many or too few.
   */
  drawFirst(random: Random): number;
}

/** @param cv above 0 */
export function gammaGaps(cv: number): Gaps {
  const shape = 1 / cv ** 2;
  return {
    draw: (random) => gamma(random, shape) / shape,
    // The gap around a moment at random is gamma of shape + 1, and the moment lies anywhere in it.
    drawFirst: (random) => (random() * gamma(random, shape + 1)) / shape,
  };
}

/** @param cv above 0 */
export function weibullGaps(cv: number): Gaps {
  const shape = weibullShape(cv);
  const scale = Math.exp(-logGamma(1 + 1 / shape));
  return {
    draw: (random) => scale * (-Math.log(1 - random())) ** (1 / shape),
    // The gap around a moment at random, to the power of the shape, is gamma of 1 + 1/shape.
    drawFirst: (random) => random() * scale * gamma(random, 1 + 1 / shape) ** (1 / shape),
  };
}

/** Arrivals at a steady rate, ms from 0 on. */
export function steadyArrivals(random: Random, gaps: Gaps, count: number, requestsPerSecond: number): number[] {
  let seconds = 0;
  return Array.from({ length: count }, () => {
    seconds += gaps.draw(random) / requestsPerSecond;
    return seconds * 1000;
  });
}

/** By bisection: the CV falls as the shape grows. */
function weibullShape(cv: number): number {
  let low = 0.02;
  let high = 200;
  while (high / low > 1 + 1e-9) {
    const shape = Math.sqrt(low * high);
    const squared = Math.expm1(logGamma(1 + 2 / shape) - 2 * logGamma(1 + 1 / shape));
    if (squared > cv ** 2) low = shape;
    else high = shape;
  }
  return low;
}

/** ln Γ(x) for x of at least 1, to 1e-9: Stirling's series, from where it is exact enough. */
function logGamma(x: number): number {
  if (x < 10) return logGamma(x + 1) - Math.log(x);
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
}
