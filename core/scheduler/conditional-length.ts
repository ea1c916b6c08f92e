/**
 * How many tokens an answer has still to come, given that so many have: P(L > l | L > produced), which is what memory is reserved by. The
 * predicted p50 and p90 stand for a lognormal distribution; answers that have outgrown their prediction are expected to go on, the longer
 * the longer they have.
 */
import { Z90 } from '../domain/statistics.ts';

/** Normal scores beyond this say no more. */
const LIMIT = 4;
const STEPS_PER_UNIT = 16;

/** `TABLES[quantile]`: for a score that was survived, the score that a share of `quantile` of the survivors does not exceed. */
const tables = new Map<number, Float64Array>();

/** @param quantile of the remaining length that is answered, 0 to 1 */
export function remainingTokens(predicted: { p50: number; p90: number }, producedTokens: number, quantile: number): number {
  const { p50, p90 } = predicted;
  const deviation = Math.log(p90 / p50) / Z90;
  if (!(deviation > 1e-3)) return Math.max(1, p50 - producedTokens);
  const survived = producedTokens <= 1 ? -LIMIT : Math.log(producedTokens / p50) / deviation;
  return Math.max(1, p50 * Math.exp(deviation * scoreAbove(survived, quantile)) - producedTokens);
}

function scoreAbove(survived: number, quantile: number): number {
  if (survived >= LIMIT) return survived + (scoreAbove(LIMIT - 1e-9, quantile) - LIMIT);
  let table = tables.get(quantile);
  if (!table) {
    table = makeTable(quantile);
    tables.set(quantile, table);
  }
  const place = (Math.max(-LIMIT, survived) + LIMIT) * STEPS_PER_UNIT;
  const left = Math.min(table.length - 2, Math.floor(place));
  return table[left]! + (place - left) * (table[left + 1]! - table[left]!);
}

function makeTable(quantile: number): Float64Array {
  return Float64Array.from({ length: 2 * LIMIT * STEPS_PER_UNIT + 1 }, (_, i) => {
    const survived = i / STEPS_PER_UNIT - LIMIT;
    return scoreOfUpperTail((1 - quantile) * upperTail(survived));
  });
}

/** P(Z > z), to 1e-7 of itself. Abramowitz and Stegun 26.2.17 for its use at both ends. */
function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

/** The z with P(Z > z) = p, by bisection: it runs for a table, once. */
function scoreOfUpperTail(p: number): number {
  let low = -2 * LIMIT;
  let high = 2 * LIMIT;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (upperTail(middle) > p) low = middle;
    else high = middle;
  }
  return low;
}
