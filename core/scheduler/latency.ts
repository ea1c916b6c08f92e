/** What a request would see on a replica, by the step-time model. */
import { decodeStepMs, type StepLoad, stepTimeMs } from '../domain/step-time.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

export interface PredictedLatency {
  /** From release to the first token. */
  ttftMs: number;
  /** Between tokens, in the batch as it would be. */
  tpotMs: number;
}

const CHUNK_TOKENS = 2048;
const MAX_STEPS = 512;

/**
 * Prompts are prefilled in the order of their release, in chunks that share each step with the decoding batch; the first token comes out
 * of the step that ends the prompt. Engines' own queues of other gateways' requests are counted by their number, at this prompt's length.
 */
export function predictLatency(replica: ReplicaView, request: QueuedRequest): PredictedLatency {
  const { stepTime } = replica;
  const decoding = Math.max(replica.running.size, replica.engine?.running ?? 0);
  const contextTokens = Math.max(replica.reservedKvTokens - replica.outstandingDecodeTokens, 0);
  const othersWaiting = Math.max(0, (replica.engine?.waiting ?? 0) - replica.running.size);
  const backlog = replica.outstandingPrefillTokens + othersWaiting * request.inputTokens;
  const load: StepLoad = { prefillTokens: 0, prefillSquares: 0, decodeSequences: decoding, decodeContextTokens: contextTokens };
  const ttftMs = prefillThrough(backlog, stepTime, load) + prefillThrough(Math.max(1, request.inputTokens), stepTime, load);
  const tpotMs = decodeStepMs(stepTime, decoding + 1, contextTokens + request.inputTokens + request.predictedOutput.p50 / 2);
  return { ttftMs, tpotMs };
}

/** Time of the steps that prefill so many tokens beside a decoding batch. Very long backlogs are extrapolated from their first steps. */
function prefillThrough(tokens: number, stepTime: ReplicaView['stepTime'], load: StepLoad): number {
  let totalMs = 0;
  let done = 0;
  for (let step = 0; done < tokens && step < MAX_STEPS; step++) {
    const chunk = Math.min(CHUNK_TOKENS, tokens - done);
    load.prefillTokens = chunk;
    load.prefillSquares = (done + chunk) ** 2 - done ** 2;
    totalMs += stepTimeMs(stepTime, load);
    done += chunk;
  }
  return done === 0 ? 0 : totalMs * (tokens / done);
}
