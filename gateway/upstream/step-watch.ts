/** What a gateway's own streams show of the step times of one engine. */
import type { StepSample, StepTimeCoefficients } from '../../core/domain/step-time.ts';
import { LiveStepTime } from '../../core/profiler/live-step-time.ts';

/** Where all gateways together have so many times as much on an engine as this one, it sees too little of the steps. */
const MOST_LOAD = 4;
/** Below this it is as good as alone. */
const ALONE_LOAD = 1.1;
/** Samples are of the present for so long. */
const SAMPLED_MS = 30_000;

export class StepWatch {
  readonly #fit: LiveStepTime;
  #sampledMs = Number.NEGATIVE_INFINITY;
  /** Answers open on it that come as a whole, and whether any was since the last sample: nobody sees their steps. */
  #wholeAnswers = 0;
  #isBlurred = false;

  constructor(stepTime: StepTimeCoefficients) {
    this.#fit = new LiveStepTime(stepTime);
  }

  /** @param loadOfAll how many times as much the engine has as this gateway's requests, at least 1 */
  observe(sample: StepSample, loadOfAll: number, nowMs: number): void {
    const isClear = !this.#isBlurred && loadOfAll <= MOST_LOAD;
    this.#isBlurred = this.#wholeAnswers > 0;
    if (!isClear) return;
    this.#fit.observe(sample, loadOfAll);
    this.#sampledMs = nowMs;
  }

  /** An answer that comes as a whole was sent there, or has ended. */
  countWholeAnswer(change: 1 | -1): void {
    this.#wholeAnswers += change;
    this.#isBlurred = true;
  }

  restate(stepTime: StepTimeCoefficients): void {
    this.#fit.restate(stepTime);
  }

  /** The coefficients that steps show; null where too few were seen lately. */
  coefficients(nowMs: number): StepTimeCoefficients | null {
    return nowMs - this.#sampledMs < SAMPLED_MS ? this.#fit.coefficients : null;
  }

  /** Measured over predicted time. @param byOwnStreams the same by this gateway's requests alone, which is right where it is */
  ratio(byOwnStreams: number | null, loadOfAll: number, nowMs: number): number | null {
    if (loadOfAll <= ALONE_LOAD) return byOwnStreams;
    return nowMs - this.#sampledMs < SAMPLED_MS ? this.#fit.ratio : null;
  }
}
