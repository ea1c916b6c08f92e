/** What prompts cost an engine, by the step-time model. */
import { type StepSample, type StepTimeCoefficients, stepTimeMs } from '../domain/step-time.ts';

/** vLLM's default `--max-num-batched-tokens`: prompts are prefilled in chunks that leave room for the decoding batch. */
export const STEP_TOKENS = 2048;

const load = { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 };

/** What prefilling so many tokens adds to the steps of an engine that decodes beside it, ms. */
export function chunkedPrefillMs(stepTime: StepTimeCoefficients, tokens: number, squares: number): number {
  const whole = Math.floor(tokens / STEP_TOKENS);
  const rest = tokens - whole * STEP_TOKENS;
  return (whole > 0 ? whole * addedMs(stepTime, STEP_TOKENS) : 0) + (rest > 0 ? addedMs(stepTime, rest) : 0) + stepTime.rb * squares;
}

function addedMs(stepTime: StepTimeCoefficients, tokens: number): number {
  load.prefillTokens = tokens;
  return stepTimeMs(stepTime, load) - stepTime.d0 - stepTime.o;
}

/** Counts the same into what an engine did, as slopes by the coefficients. */
export function addPrefill(into: StepSample, stepTime: StepTimeCoefficients, tokens: number, squares: number): void {
  const whole = Math.floor(tokens / STEP_TOKENS);
  if (whole > 0) addChunks(into, stepTime, whole, STEP_TOKENS);
  if (tokens > whole * STEP_TOKENS) addChunks(into, stepTime, 1, tokens - whole * STEP_TOKENS);
  into.prefillTokens += tokens;
  into.prefillSquares += squares;
}

function addChunks(into: StepSample, { d0, ra }: StepTimeCoefficients, chunks: number, tokens: number): void {
  const [weights, compute] = [d0 ** 4, (ra * tokens) ** 4];
  const cubed = (weights + compute) ** 0.75;
  if (cubed === 0) return;
  into.computeMs += (chunks * compute) / cubed;
  into.weightsMs += chunks * (weights / cubed - d0);
}
