/** What a replica is up to, worked out once for all the requests that are looked at while it stays as it is. */
import { decodeStepMs } from '../../domain/step-time.ts';
import { decodingSequences } from '../latency.ts';
import type { ReplicaLoad } from '../load.ts';
import { MemoryOutlook } from '../memory-outlook.ts';
import { chunkedPrefillMs, STEP_TOKENS } from '../prefill.ts';
import { fitsAnyway } from '../room.ts';
import type { QueuedRequest, ReplicaView } from '../types.ts';

/** Contexts grow and shares decay meanwhile, by too little to matter. */
const REFRESH_MS = 5;
/** Where all p90s fit into this share of the cache, memory does not bind. */
const AMPLE_SHARE = 0.8;

export class Outlook {
  readonly #load: ReplicaLoad;
  readonly #memory: MemoryOutlook;
  #started = -1;
  #ended = -1;
  #prefilling = -1;
  #atMs = Number.NEGATIVE_INFINITY;
  /** Corrected by what its steps have taken lately, as all times here. */
  scale = 1;
  /** Sequences that decode there. */
  decoding = 0;
  /** A decode step of the batch as it is, and of that with all whose prompts are ahead. */
  stepMs = 0;
  fullStepMs = 0;
  /** Prompts that are ahead, and the time that they add. */
  promptsAhead = 0;
  tokensAhead = 0;
  promptsAheadMs = 0;
  #squaresAhead = 0;
  /** Share of its time that it has spent on prompts lately. */
  prefillShare = 0;
  /** How long one of those takes. */
  promptMs = 0;

  constructor(load: ReplicaLoad, memoryQuantile: number) {
    this.#load = load;
    this.#memory = new MemoryOutlook(load, memoryQuantile);
  }

  /** False where the replica's engine is another one by now, with a load of its own. */
  isOf({ load }: ReplicaView): boolean {
    return load === this.#load;
  }

  refresh(replica: ReplicaView, nowMs: number): void {
    const load = this.#load;
    const isSame = load.started === this.#started && load.ended === this.#ended && load.prefilling === this.#prefilling;
    if (isSame && nowMs - this.#atMs < REFRESH_MS) return;
    this.#started = load.started;
    this.#ended = load.ended;
    this.#prefilling = load.prefilling;
    this.#atMs = nowMs;
    const { stepTime } = replica;
    this.scale = load.stepTimeScale;
    this.decoding = decodingSequences(replica);
    this.stepMs = this.decoding === 0 ? 0 : decodeStepMs(stepTime, this.decoding, load.decodeContextTokens) * this.scale;
    const sequences = this.decoding + load.prefilling;
    this.fullStepMs = decodeStepMs(stepTime, sequences, load.decodeContextTokens + load.prefillTokens) * this.scale;
    const { prompts, tokens, squares } = load.promptsAhead(nowMs);
    this.promptsAhead = prompts;
    this.tokensAhead = tokens;
    this.#squaresAhead = squares;
    this.promptsAheadMs = this.promptsMs(replica, 0, 0);
    this.prefillShare = load.prefillShare(nowMs);
    this.promptMs = load.promptMs;
  }

  /** Time that the prompts ahead and one more of so many tokens add. */
  promptsMs({ stepTime }: ReplicaView, tokens: number, squares: number): number {
    return chunkedPrefillMs(stepTime, this.tokensAhead + tokens, this.#squaresAhead + squares) * this.scale;
  }

  /** From now to the first token of a request whose prompt adds `promptMs`: half of a step that is under way, the prompts, their steps. */
  ttftMs(promptMs: number, tokens: number): number {
    const steps = Math.ceil((this.tokensAhead + tokens) / Math.max(1, STEP_TOKENS - this.decoding));
    const decodeMs = this.decoding === 0 ? 0 : this.stepMs;
    return decodeMs / 2 + this.promptsAheadMs + promptMs + steps * Math.max(decodeMs, this.scale);
  }

  /** Between tokens with a request more. */
  tpotMs({ stepTime }: ReplicaView, { inputTokens, predictedOutput }: QueuedRequest): number {
    const addedMs = (stepTime.d1 + stepTime.d2 * (inputTokens + predictedOutput.p50 / 2)) * this.scale;
    return (this.fullStepMs + addedMs) / (1 - this.prefillShare);
  }

  /**
   * Standard deviation of the mean time between the tokens of one request: prompts come by chance, so that over `outputTokens` tokens it
   * meets more or fewer of them (a compound Poisson process).
   */
  tpotDeviationMs(tpotMs: number, outputTokens: number): number {
    return Math.sqrt((tpotMs * this.prefillShare * this.promptMs) / outputTokens);
  }

  /** Will its KV cache hold the request beside what is there and what other gateways have there? */
  hasMemory(replica: ReplicaView, request: QueuedRequest, largestTokens: number, share: number, nowMs: number): boolean {
    const anyway = fitsAnyway(replica, request, largestTokens);
    if (anyway !== null) return anyway;
    const load = this.#load;
    const ours = load.decodeContextTokens + load.prefillTokens;
    const others = Math.max(replica.kvElsewhereTokens ?? 0, (replica.engine?.kvCacheUsage ?? 0) * replica.kvCacheTokens - ours);
    const cautious = Math.max(load.cautiousKvTokens, ours) + request.inputTokens + request.predictedOutput.p90 + others;
    if (cautious <= replica.kvCacheTokens * AMPLE_SHARE) return true;
    return this.#memory.peakTokens(request, nowMs) + others <= replica.kvCacheTokens * share;
  }
}
