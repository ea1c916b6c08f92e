/** What a request would see on a replica, by the step-time model, corrected by what its steps have taken lately. */
import { decodeStepMs, stepTimeMs } from '../domain/step-time.ts';
import { STEP_TOKENS } from './prefill.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

export interface PredictedLatency {
  /** From release to the first token. */
  ttftMs: number;
  /** Between tokens, in the batch as it would be. */
  tpotMs: number;
}

const step = { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 };

/** Sequences that decode there, ours or as many as the engine says it runs. */
export function decodingSequences({ load, engine }: ReplicaView): number {
  return Math.max(load.inFlight - load.prefilling, (engine?.running ?? 0) - load.prefilling, 0);
}

/**
 * From release to the first token. Prompts are prefilled in the order of their release, beside the decoding batch; the first token comes
 * out of the step that ends the prompt. A busy engine is in the middle of a step when the request comes: half of one passes first. Prompts
 * that other gateways have waiting there are counted by their number, at this prompt's length. Takes the same short time for any load.
 */
export function predictTtftMs(replica: ReplicaView, request: QueuedRequest): number {
  const { stepTime, engine, load } = replica;
  const inputTokens = Math.max(1, request.inputTokens);
  const cachedTokens = load.cachedTokens(request.prefix, inputTokens);
  const decoding = decodingSequences(replica);
  const others = Math.max(0, (engine?.waiting ?? 0) - load.prefilling);

  step.decodeSequences = decoding;
  step.decodeContextTokens = load.decodeContextTokens;
  step.prefillTokens = 0;
  const residualMs = decoding === 0 ? 0 : stepTimeMs(stepTime, step) / 2;
  const tokens = load.prefillTokens + (others + 1) * (inputTokens - cachedTokens);
  const squares = load.prefillSquares + (others + 1) * (inputTokens ** 2 - cachedTokens ** 2);
  const chunk = Math.max(1, STEP_TOKENS - decoding);
  const whole = Math.floor(tokens / chunk);
  let stepsMs = 0;
  if (whole > 0) {
    step.prefillTokens = chunk;
    stepsMs += whole * stepTimeMs(stepTime, step);
  }
  step.prefillTokens = tokens - whole * chunk;
  if (step.prefillTokens > 0) stepsMs += stepTimeMs(stepTime, step);
  return (residualMs + stepsMs + stepTime.rb * squares) * load.stepTimeScale;
}

/** One decode step of the batch with this request in it, without prompts beside it. */
function predictDecodeStepMs(replica: ReplicaView, request: QueuedRequest): number {
  const { stepTime, load } = replica;
  const sequences = decodingSequences(replica) + load.prefilling + 1;
  const contextTokens = load.decodeContextTokens + load.prefillTokens + request.inputTokens + request.predictedOutput.p50 / 2;
  return decodeStepMs(stepTime, sequences, contextTokens) * load.stepTimeScale;
}

/** Between tokens, while prompts take as large a share of the engine's time as they have lately. */
export function predictTpotMs(replica: ReplicaView, request: QueuedRequest, nowMs: number): number {
  return predictDecodeStepMs(replica, request) / (1 - replica.load.prefillShare(nowMs));
}

export function predictLatency(replica: ReplicaView, request: QueuedRequest, nowMs: number): PredictedLatency {
  return { ttftMs: predictTtftMs(replica, request), tpotMs: predictTpotMs(replica, request, nowMs) };
}
