/** One replica and the requests that it is to serve, at whatever rate: what the capacity model computes with. */
import type { Demand } from '../../domain/deployment.ts';
import { type StepTimeCoefficients, stepTimeMs } from '../../domain/step-time.ts';
import { logNormalShare } from '../distributions.ts';
import { INPUT_SHARES, meanOf, meanWithin, OUTPUT_SHARES, type Strata, strataOf } from './lengths.ts';

/** Mean lengths of the requests, tokens. */
export type Lengths = Pick<Demand, 'inputTokens' | 'outputTokens'>;

export interface ReplicaSpeed {
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
}

/** Coefficients of variation of the lengths. */
export interface Variations {
  inputVariation?: number;
  outputVariation?: number;
}

/** Source: Azure 2023 conversation trace (CC-BY-4.0). */
export const INPUT_VARIATION = 0.96;
export const OUTPUT_VARIATION = 0.77;
/** Prompt tokens that an engine takes into one step, with those that decode. */
export const CHUNK_TOKENS = 2048;
export const MAX_SEQUENCES = 256;
export interface Workload {
  stepTime: StepTimeCoefficients;
  prompts: Strata;
  answers: Strata;
  /** What finds room of the prompt behind one in the step of its end, as a mean, at the strata's edges. */
  behindTokens: readonly number[];
  inputTokens: number;
  outputTokens: number;
  /** What a sequence that is met decoding has produced, as a mean; long answers are met more often. */
  producedTokens: number;
  /** Its context: that and its prompt. */
  contextTokens: number;
  /** Sequences that the KV cache holds, 1 to `MAX_SEQUENCES`. */
  maxBatch: number;
  /** A step without prefills, divided by the number of its sequences, by that number: 0 to `MAX_SEQUENCES`. */
  stepSharesMs: readonly number[];
}

export function workloadOf(
  { stepTime, kvCacheTokens }: ReplicaSpeed,
  { inputTokens, outputTokens }: Lengths,
  { inputVariation = INPUT_VARIATION, outputVariation = OUTPUT_VARIATION }: Variations,
): Workload {
  // A sequence is met in proportion to its length, halfway through it.
  const producedTokens = (outputTokens * (1 + outputVariation ** 2)) / 2;
  const contextTokens = inputTokens + producedTokens;
  // The cache stays as empty as the next prompt is too long for: on average, half of one that is met in proportion to its length.
  const unusedTokens = (inputTokens * (1 + inputVariation ** 2)) / 2;
  const held = Math.floor((kvCacheTokens - unusedTokens) / contextTokens);
  const prompts = strataOf(inputTokens, inputVariation, INPUT_SHARES);
  const roomBehind = (tokens: number) => CHUNK_TOKENS * Math.ceil(tokens / CHUNK_TOKENS) - tokens;
  const workload = {
    ...{ stepTime, prompts, inputTokens, outputTokens, producedTokens, contextTokens },
    behindTokens: prompts.edges.map((tokens) => meanWithin(prompts, prompts.edges, roomBehind(tokens))),
    answers: strataOf(outputTokens, outputVariation, OUTPUT_SHARES),
    maxBatch: Math.max(1, Math.min(MAX_SEQUENCES, held)),
    stepSharesMs: [Number.POSITIVE_INFINITY],
  };
  for (let batch = 1; batch <= MAX_SEQUENCES; batch++) workload.stepSharesMs.push(stepMs(workload, 0, batch) / batch);
  return workload;
}

/** Share of the requests that the KV cache can hold at all. */
export function fittingShare(
  { prompts, outputTokens }: Workload,
  kvCacheTokens: number,
  { outputVariation = OUTPUT_VARIATION }: Variations,
): number {
  const fits = (tokens: number) => logNormalShare(kvCacheTokens - tokens, outputTokens, (outputTokens * outputVariation) ** 2);
  return meanOf(prompts, prompts.edges.map(fits));
}

/** Times that steps take longer for a prompt, at the strata's edges, beside a batch and what else is prefilled in the step of its end. */
export function prefillTimes(workload: Workload, batch: number, besideTokens: number): number[] {
  const { stepTime } = workload;
  const chunk = CHUNK_TOKENS - batch;
  const noneMs = stepMs(workload, 0, batch);
  const chunkMs = stepMs(workload, chunk, batch) - noneMs;
  const besideMs = stepMs(workload, besideTokens, batch);
  return workload.prompts.edges.map((tokens) => {
    const whole = Math.floor(tokens / chunk);
    const rest = tokens - whole * chunk;
    const beside = Math.min(besideTokens, chunk - rest);
    const withoutMs = beside === besideTokens ? besideMs : stepMs(workload, beside, batch);
    // Chunks differ only in their attention, whose squares add up.
    return whole * chunkMs + stepMs(workload, beside + rest, batch) - withoutMs + stepTime.rb * tokens ** 2;
  });
}

/** A step with so many prompt tokens, the first of their prompts, and a batch of mean contexts, ms. */
export function stepMs({ stepTime, contextTokens }: Workload, prefillTokens: number, batch: number): number {
  return stepTimeMs(stepTime, { prefillTokens, prefillSquares: 0, decodeSequences: batch, decodeContextTokens: batch * contextTokens });
}

/** What is left of a decode step where a request comes; there is none where nothing decodes. */
export function restOfStepMs(decodeMs: number, batch: number): number {
  return (Math.min(1, batch) * decodeMs) / 2;
}
