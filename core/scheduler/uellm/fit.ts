/** Whether a request may join a replica now, and how well it fits there. */
import { chunkedPrefillMs } from '../prefill.ts';
import { hasPlace } from '../room.ts';
import type { QueuedRequest, ReplicaView } from '../types.ts';
import type { Costs } from './cost.ts';
import type { UellmOptions } from './options.ts';
import type { Outlook } from './outlook.ts';

/** How a request is looked at: in time still; demoted, for when there is room; or demoted so long ago that it goes before others. */
export type Standing = 'urgent' | 'background' | 'aged';

export type Verdict = 'joins' | 'no place' | 'no memory' | 'prompts ahead' | 'first token too late' | 'tokens too slow' | 'busy';

export interface Fit {
  verdict: Verdict;
  /** Higher is better; only of those that join. */
  score: number;
  /** Predicted TPOT over its limit there: above 1, it has to wait until the batch has shrunk. */
  tpotLoad: number;
  /** Could its first token come in time, if the replica had nothing else to prefill? */
  isPossible: boolean;
  ttftMs: number;
  tpotMs: number;
}

/** A demoted request is no hurry: without a target of its own it is held to this. */
const NO_TARGET_TPOT_MS = 1000;
/** Prompts that may be ahead of an aged request, tokens. */
const AGED_PROMPTS_AHEAD = 2048;
/** However slow the tokens may be, prompts are released by steps of at most so long, or short requests would wait for long ones. */
const LONGEST_STEP_MS = 100;

export class Fitting {
  readonly #options: UellmOptions;
  readonly #costs: Costs;
  /** The last answer; read it before asking again. */
  readonly fit: Fit = { verdict: 'joins', score: 0, tpotLoad: 0, isPossible: false, ttftMs: 0, tpotMs: 0 };

  constructor(options: UellmOptions, costs: Costs) {
    this.#options = options;
    this.#costs = costs;
  }

  /** @param slackMs until the first token is due */
  look(
    replica: ReplicaView,
    outlook: Outlook,
    request: QueuedRequest,
    standing: Standing,
    slackMs: number,
    largestTokens: number,
    nowMs: number,
  ): Fit {
    const { fit } = this;
    const { load, stepTime } = replica;
    const { inputTokens } = request;
    const cachedTokens = load.cachedTokens(request.prefix, inputTokens);
    const tokens = inputTokens - cachedTokens;
    const squares = inputTokens ** 2 - cachedTokens ** 2;
    const promptMs = chunkedPrefillMs(stepTime, tokens, squares) * outlook.scale;
    fit.isPossible = promptMs + outlook.stepMs / 2 <= slackMs;
    fit.ttftMs = outlook.ttftMs(promptMs, tokens);
    fit.tpotMs = outlook.tpotMs(replica, request);
    const limitMs = this.#tpotLimitMs(load.tightestTpotMs, request.targets.tpotMs, standing);
    const deviationMs = outlook.tpotDeviationMs(fit.tpotMs, this.#costs.outputTokens);
    fit.tpotLoad = (fit.tpotMs + this.#options.tpotDeviations * deviationMs) / limitMs;
    fit.verdict = this.#verdict(replica, outlook, request, standing, { slackMs, tokens, squares, largestTokens, nowMs });
    if (fit.verdict === 'joins') fit.score = this.#score(replica, outlook, request, promptMs / outlook.scale);
    return fit;
  }

  #tpotLimitMs(tightestThereMs: number, ownMs: number | undefined, standing: Standing): number {
    const own = standing === 'urgent' && ownMs !== undefined ? ownMs : Number.POSITIVE_INFINITY;
    const limit = Math.min(own, tightestThereMs);
    if (limit === Number.POSITIVE_INFINITY) return NO_TARGET_TPOT_MS;
    return limit * (standing === 'background' ? this.#options.backgroundTpot : this.#options.tpotMargin);
  }

  #verdict(
    replica: ReplicaView,
    outlook: Outlook,
    request: QueuedRequest,
    standing: Standing,
    at: { slackMs: number; tokens: number; squares: number; largestTokens: number; nowMs: number },
  ): Verdict {
    const { load } = replica;
    const { fit } = this;
    const { promptsPerStep, backgroundFill, memoryShare } = this.#options;
    if (!hasPlace(replica)) return 'no place';
    if (standing === 'background' && (outlook.promptsAhead > 0 || load.inFlight > backgroundFill * replica.maxInFlight)) return 'busy';
    if (standing === 'aged' && outlook.tokensAhead > AGED_PROMPTS_AHEAD) return 'prompts ahead';
    if (standing === 'urgent') {
      const stepMs = Math.min(LONGEST_STEP_MS, request.targets.tpotMs ?? Number.POSITIVE_INFINITY, load.tightestTpotMs);
      const isLate =
        outlook.promptsAhead > 0 && outlook.stepMs + outlook.promptsMs(replica, at.tokens, at.squares) > promptsPerStep * stepMs;
      if (isLate) return 'prompts ahead';
      if (fit.ttftMs > at.slackMs) return 'first token too late';
    }
    if (standing !== 'aged' && load.inFlight > 0 && fit.tpotLoad > 1) return 'tokens too slow';
    return outlook.hasMemory(replica, request, at.largestTokens, memoryShare, at.nowMs) ? 'joins' : 'no memory';
  }

  /**
   * What is left of the TPOT limit, less what the request costs here against elsewhere, less what its prompt takes from those that decode
   * here: as a share of all the time that their tokens may take.
   */
  #score(replica: ReplicaView, outlook: Outlook, request: QueuedRequest, promptMs: number): number {
    const { costWeight, disturbanceWeight } = this.#options;
    const streamMs = Math.min(NO_TARGET_TPOT_MS, replica.load.tightestTpotMs) * this.#costs.outputTokens;
    const disturbance = (outlook.decoding * promptMs * outlook.scale) / streamMs;
    return 1 - this.fit.tpotLoad - costWeight * this.#costs.cost(replica, request, promptMs) - disturbanceWeight * disturbance;
  }
}
