/**
 * How full a replica's KV cache will be at its fullest. Requests end one after the other while the others grow, so that the peak is below
 * the sum of what each will need in the end: the cache holds the sum of `context + t` over those that still run after `t` steps, and its
 * peaks are where someone ends. Remaining lengths are conditional on what has come (`conditional-length.ts`).
 */
import { remainingTokens } from './conditional-length.ts';
import type { ReplicaLoad } from './load.ts';
import type { QueuedRequest } from './types.ts';

/** As long as nobody comes or goes, the peaks stay where they are: contexts grow by what remainders lose. Only expectations change. */
const REFRESH_MS = 500;

export class MemoryOutlook {
  readonly #load: ReplicaLoad;
  readonly #quantile: number;
  #changes = -1;
  #atMs = Number.NEGATIVE_INFINITY;
  /** Longest remainder first. */
  #remaining: number[] = [];
  /** Tokens in the cache when that one ends. */
  #tokens: number[] = [];

  /** @param quantile of the remaining lengths that room is kept for */
  constructor(load: ReplicaLoad, quantile: number) {
    this.#load = load;
    this.#quantile = quantile;
  }

  /** Tokens at the fullest, with `candidate` there as well. */
  peakTokens(candidate: QueuedRequest, nowMs: number): number {
    this.#refresh(nowMs);
    const candidateRemaining = remainingTokens(candidate.predictedOutput, candidate.producedTokens, this.#quantile);
    const context = candidate.inputTokens + candidate.producedTokens;
    let peak = 0;
    let atItsEnd = context + candidateRemaining;
    for (let i = 0; i < this.#remaining.length; i++) {
      const remaining = this.#remaining[i]!;
      let tokens = this.#tokens[i]!;
      if (remaining <= candidateRemaining) tokens += context + remaining;
      else {
        // What these hold when the candidate ends: what they hold at their own end, less what they still gain.
        atItsEnd = tokens - (i + 1) * (remaining - candidateRemaining) + context + candidateRemaining;
      }
      if (tokens > peak) peak = tokens;
    }
    return Math.max(peak, atItsEnd);
  }

  #refresh(nowMs: number): void {
    const { started, ended, running } = this.#load;
    const changes = started + ended;
    if (changes === this.#changes && nowMs - this.#atMs < REFRESH_MS) return;
    this.#changes = changes;
    this.#atMs = nowMs;
    const open = [...running].map((request) => ({
      context: request.inputTokens + request.producedTokens,
      remaining: remainingTokens(request.predictedOutput, request.producedTokens, this.#quantile),
    }));
    open.sort((a, b) => b.remaining - a.remaining);
    let contextTokens = 0;
    this.#remaining = open.map(({ remaining }) => remaining);
    this.#tokens = open.map(({ context, remaining }, i) => {
      contextTokens += context;
      return contextTokens + (i + 1) * remaining;
    });
  }
}
