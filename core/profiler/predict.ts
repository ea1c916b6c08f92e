/** How long an answer will be, as quantiles. Runs on every request inside the gateway: a few hundred nanoseconds, one small object. */
import { classBucket } from './classes.ts';
import { encodeFeatures, FEATURE_COUNT, type RequestFeatures } from './features.ts';
import { dot } from './recursive-least-squares.ts';
import { headOf, type OutputHead, type ProfilerSnapshot } from './snapshot.ts';
import { heldOf, tenantBucket } from './tenants.ts';
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
  const bucket = tenantBucket(features.tenant);
  const expectation = expectedLog(head, snapshot.shared, features, encodeFeatures(features, scratch), bucket);
  return predictFrom(head, snapshot.shape90, expectation, scratch, bucket, classBucket(features.class), features.maxTokens);
}

/** Expectation of ln(output tokens) without what the text adds. @param x the encoded features */
export function expectedByLengths({ weights, tenants, observations }: OutputHead, x: readonly number[], bucket: number): number {
  return dot(weights, x) + tenants.level[bucket]! * heldOf(tenants, bucket, observations);
}

/** Expectation of ln(output tokens) by one head. @param shared has the text part for heads that have none of their own */
export function expectedLog(head: OutputHead, shared: OutputHead, { text }: RequestFeatures, x: readonly number[], bucket: number): number {
  const byLengths = expectedByLengths(head, x, bucket);
  const byText = head.text ?? shared.text;
  return text && byText ? byLengths + textAdjustment(byText, text) : byLengths;
}

/** From an expectation to the quantiles around it. */
export function predictFrom(
  head: OutputHead,
  shape90: readonly number[],
  expectation: number,
  x: readonly number[],
  ofTenant: number,
  ofClass: number,
  maxTokens: number | null,
): OutputPrediction {
  const cap = Math.min(MAX_TOKENS, maxTokens ?? MAX_TOKENS);
  const { tenants, classes } = head;
  const held = heldOf(tenants, ofTenant, head.observations);
  const offset90 = held * tenants.offset90[ofTenant]! + classes.offset90[ofClass]!;
  const p50 = within(Math.exp(expectation + dot(head.offset50, x) + held * tenants.offset50[ofTenant]!), cap);
  const p90 = within(Math.exp(expectation + dot(head.offset90, x) + dot(shape90, x) + offset90), cap);
  return { p50, p90: Math.max(p50, p90), mean: within((Math.exp(expectation) * head.meanOutput) / head.meanFitted, cap) };
}

function within(tokens: number, cap: number): number {
  return Math.max(1, Math.min(cap, tokens));
}
