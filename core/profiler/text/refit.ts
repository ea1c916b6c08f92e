/** Fits a head's text part anew to the answers of a window, on what lengths and names leave unexplained. */
import { encodeFeatures, FEATURE_COUNT } from '../features.ts';
import { dot } from '../recursive-least-squares.ts';
import type { OutputHead } from '../snapshot.ts';
import type { TrainingRow } from '../training-window.ts';
import type { TextPrior } from './prior.ts';
import { fitRidge } from './ridge.ts';
import { packWords, type TextHead, textAdjustment, textHeadFrom } from './text-head.ts';

/** Of the ridge, against one answer. Chosen on AlpacaEval's prompts by cross-validation, as the scales of the features are. */
const PENALTY = 2.5;
/** What is unexplained counts as no more than this, in ln(tokens): one line where a page was asked for is not the rule. */
const MAX_UNEXPLAINED = 0.9;
/** With fewer rows a tenant's spread is not judged. */
const LEAST_TENANT_ROWS = 20;

/**
 * @param rows answers with a sketch, all of them in one key where they are to teach words
 * @returns the head with a new text part, whose mean over the rows is that of the old one: only differences between prompts are learned here
 */
export function refitText(head: OutputHead, rows: readonly TrainingRow[], prior: TextPrior, keyId: string): OutputHead {
  const start = textHeadFrom(prior);
  const x = new Array<number>(FEATURE_COUNT).fill(0);
  const unexplained = rows.map(
    (row) => Math.log(row.outputTokens) - dot(head.weights, encodeFeatures(row, x)) - textAdjustment(start, row.text),
  );
  const middle = median(unexplained);
  const targets = unexplained.map((value) => Math.max(-MAX_UNEXPLAINED, Math.min(MAX_UNEXPLAINED, value - middle)));
  const level = targets.reduce((sum, target) => sum + target, 0) / targets.length;
  const weights = tenantWeights(rows, targets);
  const fit = fitRidge(
    rows.map(({ text }, i) => ({ sketch: text, target: targets[i]! - level, weight: weights[i]! })),
    prior,
    PENALTY,
    true,
  );
  const text: TextHead = {
    keyId,
    bias: start.bias + fit.bias,
    dense: start.dense.map((weight, i) => weight + fit.dense[i]!),
    ...packWords(fit.words),
  };
  const before = head.text ?? start;
  const moved = rows.reduce((sum, row) => sum + textAdjustment(before, row.text) - textAdjustment(text, row.text), 0) / rows.length;
  return { ...head, text: { ...text, bias: text.bias + moved } };
}

/** A tenant whose answers nobody could predict counts less, by its variance over the usual one: it must not blur the others' words. */
function tenantWeights(rows: readonly TrainingRow[], targets: readonly number[]): number[] {
  const spread = new Map<string, { sum: number; rows: number }>();
  rows.forEach(({ tenant }, i) => {
    const entry = spread.get(tenant) ?? { sum: 0, rows: 0 };
    entry.sum += Math.abs(targets[i]!);
    entry.rows++;
    spread.set(tenant, entry);
  });
  const judged = [...spread.values()].filter((entry) => entry.rows >= LEAST_TENANT_ROWS).map((entry) => entry.sum / entry.rows);
  const usual = median(judged);
  return rows.map(({ tenant }) => {
    const { sum, rows: count } = spread.get(tenant)!;
    return count < LEAST_TENANT_ROWS || sum <= usual * count ? 1 : (usual / (sum / count)) ** 2;
  });
}

function median(values: readonly number[]): number {
  return values.length === 0 ? 0 : [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
