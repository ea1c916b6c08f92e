/** Fits a head's text part anew to the answers of a window, on what lengths and names leave unexplained. */
import { quantile } from '../../domain/statistics.ts';
import { encodeFeatures, FEATURE_COUNT } from '../features.ts';
import { expectedByLengths } from '../predict.ts';
import type { OutputHead } from '../snapshot.ts';
import { tenantBucket } from '../tenants.ts';
import type { WindowRow } from '../training-window.ts';
import type { TextPrior } from './prior.ts';
import { fitRidge, ridgeValue } from './ridge.ts';
import { packWords, type TextHead, textAdjustment, textHeadFrom } from './text-head.ts';

/** Of the ridge, against one answer. Chosen on AlpacaEval's prompts by cross-validation, as the scales of the features are. */
const PENALTY = 2.5;
/**
 * What is unexplained counts as no more than this, in ln(tokens), or than so many times its mean: one line where a page was asked for is not
 * the rule, unless half of all answers are a line and the others a page.
 */
const MAX_UNEXPLAINED = 0.9;
const MAX_TIMES_MEAN = 1.5;
/** A spread up to this many times the least one is nothing unusual. */
const USUAL = 1.25;
/** With fewer rows a tenant's spread is not judged. */
const LEAST_TENANT_ROWS = 20;

/**
 * @param before the text part that has served the head so far
 * @param rows answers with a sketch, all of them in one key where they are to teach words
 * @returns the head with a new text part, whose mean over the rows is that of the old one: only differences between prompts are learned here
 */
export function refitText(
  head: OutputHead,
  before: TextHead | undefined,
  rows: readonly WindowRow[],
  prior: TextPrior,
  keyId: string,
): OutputHead {
  const start = textHeadFrom(prior);
  const x = new Array<number>(FEATURE_COUNT).fill(0);
  const unexplained = rows.map(
    (row) =>
      Math.log(row.outputTokens) -
      expectedByLengths(head, encodeFeatures(row, x), tenantBucket(row.tenant)) -
      textAdjustment(start, row.text),
  );
  const targets = levelled(rows, unexplained);
  const fitWith = (weights: readonly number[]) =>
    fitRidge(
      rows.map(({ text }, i) => ({ sketch: text, target: targets[i]!, weight: weights[i]! })),
      prior,
      PENALTY,
      true,
    );
  const even = rows.map(() => 1);
  const first = fitWith(even);
  // Whose answers even this fit leaves unexplained is known only after it.
  const weights = tenantWeights(
    rows,
    rows.map(({ text }, i) => targets[i]! - ridgeValue(first, text)),
  );
  const fit = weights.some((weight) => weight < 1) ? fitWith(weights) : first;
  const text: TextHead = {
    keyId,
    bias: start.bias + fit.bias,
    dense: start.dense.map((weight, i) => weight + fit.dense[i]!),
    ...packWords(fit.words),
  };
  const old = before ?? start;
  const moved = rows.reduce((sum, row) => sum + textAdjustment(old, row.text) - textAdjustment(text, row.text), 0) / rows.length;
  return { ...head, text: { ...text, bias: text.bias + moved } };
}

/**
 * Within each era of each model, what is unexplained less its level, and nothing too far out: models differ and change as a whole, and that is
 * not for words to explain.
 */
function levelled(rows: readonly WindowRow[], unexplained: readonly number[]): number[] {
  const groups = new Map<string, number[]>();
  rows.forEach(({ model, era }, i) => {
    const key = `${era} ${model}`;
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  });
  const targets = new Array<number>(rows.length).fill(0);
  for (const group of groups.values()) {
    const middle = quantile(
      group.map((i) => unexplained[i]!),
      0.5,
    );
    const distance = group.reduce((sum, i) => sum + Math.abs(unexplained[i]! - middle), 0) / group.length;
    const most = Math.max(MAX_UNEXPLAINED, MAX_TIMES_MEAN * distance);
    for (const i of group) targets[i] = Math.max(-most, Math.min(most, unexplained[i]! - middle));
    const level = group.reduce((sum, i) => sum + targets[i]!, 0) / group.length;
    for (const i of group) targets[i]! -= level;
  }
  return targets;
}

/** A tenant whose answers nobody could predict counts less, by its variance over a usual one: it must not blur the others' words. */
function tenantWeights(rows: readonly WindowRow[], residuals: readonly number[]): number[] {
  const spread = new Map<string, { sum: number; rows: number }>();
  rows.forEach(({ tenant }, i) => {
    const entry = spread.get(tenant) ?? { sum: 0, rows: 0 };
    entry.sum += Math.abs(residuals[i]!);
    entry.rows++;
    spread.set(tenant, entry);
  });
  const judged = [...spread.values()].filter((entry) => entry.rows >= LEAST_TENANT_ROWS).map((entry) => entry.sum / entry.rows);
  const usual = USUAL * Math.min(...judged);
  return rows.map(({ tenant }) => {
    const { sum, rows: count } = spread.get(tenant)!;
    return count < LEAST_TENANT_ROWS || sum <= usual * count ? 1 : (usual / (sum / count)) ** 4;
  });
}
