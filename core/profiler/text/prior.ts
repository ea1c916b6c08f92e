/** What is known of prompts before anything was observed: fitted to answers that were published, and shipped (`published-prior.ts`). */
import { fitRidge } from './ridge.ts';
import { DENSE_FEATURES, type TextSketch } from './sketch.ts';

export interface TextPrior {
  /** Of each dense feature: mean and standard deviation over prompts, and its weight for ln(output tokens). */
  mean: readonly number[];
  deviation: readonly number[];
  weights: readonly number[];
}

const PENALTY = 2.5;
/** Other models answer alike, not the same: their part of the effect. Chosen by leaving out each of twelve models in turn. */
const CARRIED_OVER = 0.7;

/** @param logOutputTokens mean over models of ln(output tokens), one for each sketch */
export function fitPrior(sketches: readonly TextSketch[], logOutputTokens: readonly number[]): TextPrior {
  const mean = column((i) => sketches.reduce((sum, { dense }) => sum + dense[i]!, 0) / sketches.length);
  const deviation = column((i) => Math.sqrt(sketches.reduce((sum, { dense }) => sum + (dense[i]! - mean[i]!) ** 2, 0) / sketches.length));
  const unweighted: TextPrior = { mean, deviation: deviation.map((d) => d || 1), weights: column(() => 0) };
  const level = logOutputTokens.reduce((sum, log) => sum + log, 0) / logOutputTokens.length;
  const rows = sketches.map((sketch, i) => ({ sketch, target: logOutputTokens[i]! - level, weight: 1 }));
  const fit = fitRidge(rows, unweighted, PENALTY, false);
  return { ...unweighted, weights: fit.dense.map((weight) => weight * CARRIED_OVER) };
}

function column(of: (feature: number) => number): number[] {
  return Array.from({ length: DENSE_FEATURES }, (_, i) => of(i));
}
