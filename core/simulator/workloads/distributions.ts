/** Draws that several workloads share. */
import { normal, type Random } from '../random.ts';

/** Gamma with the given shape and scale 1. Marsaglia and Tsang 2000; shapes below 1 through shape + 1. */
export function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Quantiles of a length, tokens: pairs of a share (0 first, 1 last) and the length below which that share lies; both ascending. */
export type QuantileTable = readonly (readonly [share: number, tokens: number])[];

/** Whole tokens of at least 1 between the quantiles, the logarithm of the length growing evenly from one to the next. */
export function fromQuantiles(random: Random, table: QuantileTable): number {
  const share = random();
  const above = Math.max(
    1,
    table.findIndex(([upTo]) => share < upTo),
  );
  const [fromShare, fromTokens] = table[above - 1]!;
  const [toShare, toTokens] = table[above]!;
  return Math.max(1, Math.round(fromTokens * (toTokens / fromTokens) ** ((share - fromShare) / (toShare - fromShare))));
}

/** One of them, each as often as its share; shares are relative to their sum. */
export function pickByShare<T extends { share: number }>(random: Random, choices: readonly T[]): T {
  let rest = random() * choices.reduce((sum, choice) => sum + choice.share, 0);
  for (const choice of choices) {
    rest -= choice.share;
    if (rest < 0) return choice;
  }
  return choices.at(-1)!;
}
