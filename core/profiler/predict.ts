/** How long an answer will be, as quantiles. Runs on every request inside the gateway: a few hundred nanoseconds, one small object. */
import { encodeFeatures, FEATURE_COUNT, type RequestFeatures } from './features.ts';
import { dot } from './recursive-least-squares.ts';
import { headOf, type OutputHead, type ProfilerSnapshot } from './snapshot.ts';
import { textAdjustment } from './text/text-head.ts';

export type { RequestFeatures } from './features.ts';

/** Output tokens; `p50 <= p90`, each at least 1 and at most the request's own limit. */
export interface OutputPrediction {
  p50: number;
  p90: number;
  mean: number;
}

/** No answer is predicted longer: the longest contexts that anyone serves. */
export const MAX_TOKENS = 1_000_000;

const scratch = new Array<number>(FEATURE_COUNT).fill(0);

/** Predicts the output tokens of a request. A model that the snapshot does not know is predicted by what all models have in common. */
export function predictOutput(snapshot: ProfilerSnapshot, features: RequestFeatures): OutputPrediction {
  const head = headOf(snapshot, features.model);
  return predictFrom(head, expectedLog(head, snapshot.shared, features, encodeFeatures(features, scratch)), scratch, features.maxTokens);
}

/** Expectation of ln(output tokens) by one head. @param shared has the text part for heads that have none of their own @param x the encoded features */
export function expectedLog(head: OutputHead, shared: OutputHead, { text }: RequestFeatures, x: readonly number[]): number {
  const byLengths = dot(head.weights, x);
  const byText = head.text ?? shared.text;
  return text && byText ? byLengths + textAdjustment(byText, text) : byLengths;
}

/** From an expectation to the quantiles around it. */
export function predictFrom(head: OutputHead, expectation: number, x: readonly number[], maxTokens: number | null): OutputPrediction {
  const cap = Math.min(MAX_TOKENS, maxTokens ?? MAX_TOKENS);
  const p50 = within(Math.exp(expectation + dot(head.offset50, x)), cap);
  const p90 = within(Math.exp(expectation + dot(head.offset90, x)), cap);
  return { p50, p90: Math.max(p50, p90), mean: within((Math.exp(expectation) * head.meanOutput) / head.meanFitted, cap) };
}

function within(tokens: number, cap: number): number {
  return Math.max(1, Math.min(cap, tokens));
}
