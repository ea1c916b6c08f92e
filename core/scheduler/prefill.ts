/** What prompts cost an engine, by the step-time model. */
import { type StepTimeCoefficients, stepTimeMs } from '../domain/step-time.ts';

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
