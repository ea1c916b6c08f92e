/** How long an answer will be, as quantiles. Runs on every request inside the gateway: a few hundred nanoseconds, one small object. */
import { encodeFeatures, FEATURE_COUNT, type RequestFeatures } from './features.ts';
import { dot } from './recursive-least-squares.ts';
import { headOf, type OutputHead, type ProfilerSnapshot } from './snapshot.ts';

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
  return predictAt(headOf(snapshot, features.model), encodeFeatures(features, scratch), features.maxTokens);
}

/** The prediction of one head at a feature vector. */
export function predictAt(head: OutputHead, x: readonly number[], maxTokens: number | null): OutputPrediction {
  const cap = Math.min(MAX_TOKENS, maxTokens ?? MAX_TOKENS);
  const expectation = dot(head.weights, x);
  const p50 = within(Math.exp(expectation + dot(head.offset50, x)), cap);
  const p90 = within(Math.exp(expectation + dot(head.offset90, x)), cap);
  return { p50, p90: Math.max(p50, p90), mean: within((Math.exp(expectation) * head.meanOutput) / head.meanFitted, cap) };
}

function within(tokens: number, cap: number): number {
  return Math.max(1, Math.min(cap, tokens));
}
