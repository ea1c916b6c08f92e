/** What an engine's time goes to at the load that was seen. */
import { type StepLoad, stepTimeMs } from '../../domain/step-time.ts';
import { CHUNK_TOKENS, INPUT_VARIATION, MAX_SEQUENCES, type Variations, type Workload } from '../capacity/workload.ts';
import { type SplitStepTime, STEP_TERMS, type StepTerms, stepTerms } from './step-terms.ts';

/** Means over a time that was observed. */
export interface EngineLoad {
  requestsPerSecond: number;
  /** Requests in the engine, and those of them that decode. */
  inEngine: number;
  decoding: number;
}

export interface TimeUse {
  /** Share of the time in which the engine has anything to do, 0 to 1. */
  busy: number;
  /** Sequences that decode while it has. */
  batch: number;
  /** A step that only decodes them, and one with a piece of a prompt beside them. */
  decodeStepMs: number;
  prefillStepMs: number;
  /** Shares of the time on steps; they add up to 1. */
  terms: StepTerms;
}

/**
 * Steps are of two kinds: with a piece of a prompt, as many as the prompts that come make, and without. Requests that come independently of each
 * other leave an engine with n of them on average empty for exp(-n) of the time.
 */
export function timeUse(
  split: SplitStepTime,
  workload: Workload,
  load: EngineLoad,
  { inputVariation = INPUT_VARIATION }: Variations,
): TimeUse {
  const { inputTokens, contextTokens } = workload;
  const busy = 1 - Math.exp(-load.inEngine);
  const batch = Math.min(MAX_SEQUENCES, Math.max(1, busy > 0 ? load.decoding / busy : 0));
  const decode: StepLoad = { prefillTokens: 0, prefillSquares: 0, decodeSequences: batch, decodeContextTokens: batch * contextTokens };
  const pieces = Math.ceil(inputTokens / (CHUNK_TOKENS - batch));
  const squares = inputTokens ** 2 * (1 + inputVariation ** 2);
  const prefill = { ...decode, prefillTokens: inputTokens / pieces, prefillSquares: squares / pieces };
  const decodeStepMs = stepTimeMs(split.coefficients, decode);
  const prefillStepMs = stepTimeMs(split.coefficients, prefill);
  const withPrompts = busy > 0 ? Math.min(1, ((load.requestsPerSecond / 1000) * pieces * prefillStepMs) / busy) : 0;
  const [inPrefill, inDecode] = [stepTerms(split, prefill), stepTerms(split, decode)];
  const share = (term: keyof StepTerms) =>
    (withPrompts * inPrefill[term]) / prefillStepMs + ((1 - withPrompts) * inDecode[term]) / decodeStepMs;
  return {
    busy,
    batch,
    decodeStepMs,
    prefillStepMs,
    terms: Object.fromEntries(STEP_TERMS.map((t) => [t, share(t)])) as unknown as StepTerms,
  };
}
