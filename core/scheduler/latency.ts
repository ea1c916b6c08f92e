/** What a request would see on a replica, by the step-time model. */
import { decodeStepMs, stepTimeMs } from '../domain/step-time.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

export interface PredictedLatency {
  /** From release to the first token. */
  ttftMs: number;
  /** Between tokens, in the batch as it would be. */
  tpotMs: number;
}

/** vLLM's default `--max-num-batched-tokens`: prompts are prefilled in chunks that leave room for the decoding batch. */
const STEP_TOKENS = 2048;

/**
 * Prompts are prefilled in the order of their release, beside the decoding batch; the first token comes out of the step that ends the
 * prompt. A busy engine is in the middle of a step when the request comes: half of one passes first. Prompts that other gateways have
 * waiting there are counted by their number, at this prompt's length. Takes the same short time for any load.
 */
export function predictLatency(replica: ReplicaView, request: QueuedRequest): PredictedLatency {
  const { stepTime, engine, running } = replica;
  const inputTokens = Math.max(1, request.inputTokens);
  const decoding = Math.max(running.size, engine?.running ?? 0);
  const contextTokens = Math.max(0, replica.reservedKvTokens - replica.outstandingDecodeTokens);
  const others = Math.max(0, (engine?.waiting ?? 0) - running.size);

  const residualMs = decoding === 0 ? 0 : decodeStepMs(stepTime, decoding, contextTokens) / 2;
  const tokens = replica.outstandingPrefillTokens + (others + 1) * inputTokens;
  const squares = replica.outstandingPrefillSquares + (others + 1) * inputTokens ** 2;
  const chunk = Math.max(1, STEP_TOKENS - decoding);
  const stepMs = (prefillTokens: number) =>
    stepTimeMs(stepTime, { prefillTokens, prefillSquares: 0, decodeSequences: decoding, decodeContextTokens: contextTokens });
  const rest = tokens % chunk;
  const stepsMs = Math.floor(tokens / chunk) * stepMs(chunk) + (rest > 0 ? stepMs(rest) : 0);
  return {
    ttftMs: residualMs + stepsMs + stepTime.rb * squares,
    tpotMs: decodeStepMs(stepTime, decoding + 1, contextTokens + inputTokens + request.predictedOutput.p50 / 2),
  };
}
