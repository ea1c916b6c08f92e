/**
 * What one gateway has open on one replica, kept up to date by four calls: `open`, `firstToken`, `produced`, `end`. Each costs the same
 * short time for any load. The gateway makes them as bytes pass, the simulator as steps end; policies only read.
 */
import { decodeStepMs, type StepSample, type StepTimeCoefficients } from '../domain/step-time.ts';
import { PassingMap } from './passing-map.ts';
import { addPrefill, chunkedPrefillMs, STEP_TOKENS } from './prefill.ts';
import { PrefixIndex } from './prefix-index.ts';
import type { Prefix, QueuedRequest } from './types.ts';

/**
 * The share of time that prompts take is averaged over about so many of them (weighted by their time): over fewer it would jump with every
 * long one, over more it would see a rush too late.
 */
const PREFILL_WINDOW_PROMPTS = 25;
const PREFILL_WINDOW_MIN_MS = 3000;
const PREFILL_WINDOW_MAX_MS = 60_000;
/** And so long for how wrong the step-time model is. */
const CHECK_WINDOW_MS = 10_000;
/** The model is believed as it is until so much of its time was compared. */
const CHECK_PRIOR_MS = 1000;
/** And told to nobody else until so much was. */
const CHECK_ENOUGH_MS = 2000;
/** News of a first token may be so late: for longer, a prompt that should be through is not taken to be. */
const NEWS_LATE_MS = 2000;
/** A sample of steps is of so long at work; while prompts are under way, whose time is in it before what they are is, of longer. */
const SAMPLE_MS = 1000;
const SAMPLE_BESIDE_PROMPTS_MS = 4000;
/** A model that is wrong by more is not corrected further: something else is wrong. */
const SCALE_LIMIT = 3;
/** Who is sent after its first token or its end was due has missed its SLO whatever comes: it holds a replica to so many times its TPOT target, not to that. */
const LATE_TPOT_FACTOR = 2;

export class ReplicaLoad {
  /** Requests ever opened on it: breaks ties, so that equals take turns. */
  started = 0;
  ended = 0;
  /** Prompt tokens of those that are not cached there. */
  prefillTokens = 0;
  /** Sum of the squares of their lengths: what attention over them costs. */
  prefillSquares = 0;
  /** Prompts and outputs so far of those whose first token has come. */
  decodeContextTokens = 0;
  /** KV cache tokens if every request ended at its predicted median. */
  expectedKvTokens = 0;
  /** KV cache tokens if every request ended at its predicted p90. */
  cautiousKvTokens = 0;
  /** Which prompts' beginnings its cache likely holds. */
  readonly prefixes: PrefixIndex;

  readonly #open = new PassingMap<QueuedRequest, Open>();
  /** Those of `#open` whose first token has not come, in the order of their release. */
  readonly #prompts: Open[] = [];
  readonly #ahead: PromptsAhead = { prompts: 0, tokens: 0, squares: 0 };
  readonly #tpotTargets = new Map<number, number>();
  #tightestTpotMs = Number.POSITIVE_INFINITY;
  /** Predicted medians less what has come: negative while more has come than was predicted. */
  #owedTokens = 0;
  #prefillShare = 0;
  #prefillWindowMs = PREFILL_WINDOW_MIN_MS;
  #promptMs = 0;
  #promptSquares = 0;
  #prefillAtMs = 0;
  #producedTokens = 0;
  #checkedAtMs = 0;
  #checkedTokens = 0;
  /** What the model said for each token at the last check. */
  #checkedTokenMs = 0;
  #actualMs = 0;
  #modelMs = 0;
  #sample = newSample();
  readonly #onSample: ((sample: StepSample) => void) | undefined;

  /**
   * @param kvCacheTokens of the replica: bounds what is remembered of prefixes
   * @param onSample told from time to time what the engine did in how long, for whoever fits its step times
   */
  constructor(kvCacheTokens: number, onSample?: (sample: StepSample) => void) {
    this.prefixes = new PrefixIndex(kvCacheTokens);
    this.#onSample = onSample;
  }

  /** What has been opened and has not ended. */
  get running(): Iterable<QueuedRequest> {
    return this.#open.keys();
  }

  get inFlight(): number {
    return this.#open.size;
  }

  /** Requests whose first token has not come. */
  get prefilling(): number {
    return this.#prompts.length;
  }

  /** Output tokens expected yet. Answers that outgrow their prediction lower it until they end. */
  get outstandingDecodeTokens(): number {
    return Math.max(0, this.#owedTokens);
  }

  /**
   * Prompts released to it that are not through, by what has come and by when they should be: news may be late, and an engine that waits
   * for it stands idle.
   */
  promptsAhead(nowMs: number): PromptsAhead {
    const ahead = this.#ahead;
    ahead.prompts = ahead.tokens = ahead.squares = 0;
    for (const { expectedMs, prefillTokens, squares } of this.#prompts) {
      if (expectedMs <= nowMs && nowMs < expectedMs + NEWS_LATE_MS) continue;
      ahead.prompts += 1;
      ahead.tokens += prefillTokens;
      ahead.squares += squares;
    }
    return ahead;
  }

  /** The tightest TPOT target that anything on it holds it to, ms; infinite where nothing does. */
  get tightestTpotMs(): number {
    return this.#tightestTpotMs;
  }

  /** Share of the last seconds that the engine spent on prompts, 0 to 0.95. */
  prefillShare(nowMs: number): number {
    const share = this.#prefillShare * Math.exp((this.#prefillAtMs - nowMs) / this.#prefillWindowMs);
    return Math.min(share, 0.95);
  }

  /** How long a prompt takes the engine, ms: the mean over prompts weighted by their time, which is what a bystander meets. */
  get promptMs(): number {
    return this.#promptSquares / Math.max(1e-9, this.#promptMs);
  }

  /** Tokens of a prompt that its cache likely holds already. */
  cachedTokens(prefix: Prefix | null, inputTokens: number): number {
    return prefix ? this.prefixes.hitTokens(prefix, inputTokens) : 0;
  }

  /** How many times longer its steps take than the model says, as observed. */
  get stepTimeScale(): number {
    const scale = (this.#actualMs + CHECK_PRIOR_MS) / (this.#modelMs + CHECK_PRIOR_MS);
    return Math.min(SCALE_LIMIT, Math.max(1 / SCALE_LIMIT, scale));
  }

  /**
   * The same for whoever watches the model rather than makes up for it: measured over predicted time, however far apart. null where too
   * little was compared lately.
   */
  stepTimeRatio(nowMs: number): number | null {
    const isRecent = nowMs - this.#checkedAtMs < CHECK_WINDOW_MS;
    return isRecent && this.#actualMs > CHECK_ENOUGH_MS && this.#modelMs > 0 ? this.#actualMs / this.#modelMs : null;
  }

  /** The replica's coefficients have changed. What was compared with the old ones is told in the new ones, or a correction would count twice. */
  restateStepTime(before: StepTimeCoefficients, after: StepTimeCoefficients): void {
    const decoding = Math.max(1, this.inFlight - this.prefilling);
    const factor = decodeStepMs(after, decoding, this.decodeContextTokens) / decodeStepMs(before, decoding, this.decodeContextTokens);
    if (!Number.isFinite(factor)) return;
    this.#modelMs *= factor;
    this.#checkedTokenMs *= factor;
    this.#sample = newSample();
  }

  /** The request has been sent there. */
  open(request: QueuedRequest, nowMs: number, stepTime: StepTimeCoefficients): void {
    this.#check(nowMs, stepTime);
    const cachedTokens = this.cachedTokens(request.prefix, request.inputTokens);
    if (request.prefix) this.prefixes.add(request.prefix);
    const prefillTokens = request.inputTokens - cachedTokens;
    const squares = request.inputTokens ** 2 - cachedTokens ** 2;
    const expectedMs = this.#expectFirstToken(prefillTokens, squares, nowMs, stepTime);
    const open = { prefillTokens, squares, prefilling: true, expectedMs, tpotMs: heldToTpotMs(request, nowMs) };
    this.#open.set(request, open);
    this.#prompts.push(open);
    this.started += 1;
    this.prefillTokens += prefillTokens;
    this.prefillSquares += squares;
    this.#owedTokens += request.predictedOutput.p50;
    this.expectedKvTokens += request.inputTokens + request.predictedOutput.p50;
    this.cautiousKvTokens += request.inputTokens + request.predictedOutput.p90;
    if (open.tpotMs !== undefined) this.#countTpot(open.tpotMs, 1);
  }

  /** Its first token has come. */
  firstToken(request: QueuedRequest, nowMs: number, stepTime: StepTimeCoefficients): void {
    const open = this.#open.get(request);
    if (!open?.prefilling) return;
    this.#checkFirst(open, nowMs, stepTime);
    this.#endPrefill(open);
    const spentMs = chunkedPrefillMs(stepTime, open.prefillTokens, open.squares);
    this.#modelMs += spentMs;
    addPrefill(this.#sample, stepTime, open.prefillTokens, open.squares);
    this.#countPrefill(spentMs * this.stepTimeScale, nowMs);
    this.decodeContextTokens += request.inputTokens;
    this.#closeSample();
  }

  /** So many output tokens have come, of whichever requests; of a first token before `firstToken`. */
  produced(tokens: number): void {
    this.#producedTokens += tokens;
    this.decodeContextTokens += tokens;
    this.#owedTokens -= tokens;
  }

  /** It has ended, however. Again is harmless. `producedTokens` of the request are those told by `produced`. */
  end(request: QueuedRequest, nowMs: number, stepTime: StepTimeCoefficients): void {
    const open = this.#open.get(request);
    if (!open) return;
    this.#check(nowMs, stepTime);
    if (open.prefilling) this.#endPrefill(open);
    else this.decodeContextTokens -= request.inputTokens;
    this.#open.delete(request);
    this.ended += 1;
    this.decodeContextTokens -= request.producedTokens;
    this.#owedTokens -= request.predictedOutput.p50 - request.producedTokens;
    this.expectedKvTokens -= request.inputTokens + request.predictedOutput.p50;
    this.cautiousKvTokens -= request.inputTokens + request.predictedOutput.p90;
    if (open.tpotMs !== undefined) this.#countTpot(open.tpotMs, -1);
    // Sums of predictions are fractions: leave no dust behind.
    if (this.inFlight === 0) this.#clear();
    this.#closeSample();
  }

  #clear(): void {
    this.decodeContextTokens = 0;
    this.#owedTokens = 0;
    this.expectedKvTokens = 0;
    this.cautiousKvTokens = 0;
  }

  /** Prompts go one after the other, beside the batch that decodes; the first of them after half of a step. */
  #expectFirstToken(tokens: number, squares: number, nowMs: number, stepTime: StepTimeCoefficients): number {
    const decoding = this.inFlight - this.prefilling;
    const stepMs = decodeStepMs(stepTime, decoding, this.decodeContextTokens);
    const scale = this.stepTimeScale;
    const lastMs = this.#prompts.at(-1)?.expectedMs ?? 0;
    const startMs = Math.max(lastMs, nowMs + (decoding === 0 ? 0 : (stepMs * scale) / 2));
    return startMs + (chunkedPrefillMs(stepTime, tokens, squares) + Math.ceil(tokens / STEP_TOKENS) * stepMs) * scale;
  }

  #endPrefill(open: Open): void {
    open.prefilling = false;
    this.#prompts.splice(this.#prompts.indexOf(open), 1);
    this.prefillTokens -= open.prefillTokens;
    this.prefillSquares -= open.squares;
  }

  #countPrefill(spentMs: number, nowMs: number): void {
    this.#prefillShare *= Math.exp((this.#prefillAtMs - nowMs) / this.#prefillWindowMs);
    this.#prefillAtMs = nowMs;
    this.#promptMs += 0.02 * (spentMs - this.#promptMs);
    this.#promptSquares += 0.02 * (spentMs * spentMs - this.#promptSquares);
    const windowMs = PREFILL_WINDOW_PROMPTS * this.promptMs;
    this.#prefillWindowMs = Math.min(PREFILL_WINDOW_MAX_MS, Math.max(PREFILL_WINDOW_MIN_MS, windowMs));
    this.#prefillShare += spentMs / this.#prefillWindowMs;
  }

  #countTpot(tpotMs: number, change: number): void {
    const count = (this.#tpotTargets.get(tpotMs) ?? 0) + change;
    if (count > 0) this.#tpotTargets.set(tpotMs, count);
    else this.#tpotTargets.delete(tpotMs);
    if (change > 0) {
      if (tpotMs < this.#tightestTpotMs) this.#tightestTpotMs = tpotMs;
    } else if (count === 0) {
      this.#tightestTpotMs = Number.POSITIVE_INFINITY;
      for (const target of this.#tpotTargets.keys()) if (target < this.#tightestTpotMs) this.#tightestTpotMs = target;
    }
  }

  /** The same as a first token comes. It comes out of the step that ends its prompt: where others decode, out of one that is theirs. */
  #checkFirst(open: Open, nowMs: number, stepTime: StepTimeCoefficients): void {
    const isAlone = this.inFlight === this.prefilling;
    const isLater = nowMs > this.#checkedAtMs;
    this.#check(nowMs, stepTime);
    const decoding = this.inFlight - this.prefilling;
    if (isAlone && isLater) {
      const chunks = Math.max(1, Math.ceil(open.prefillTokens / STEP_TOKENS));
      this.#modelMs += chunks * decodeStepMs(stepTime, 0, 0);
      this.#sample.steps += chunks;
    } else if (decoding > 0) this.#countSteps(-1 / decoding, decoding);
    this.#modelMs = Math.max(0, this.#modelMs - this.#checkedTokenMs);
  }

  #countSteps(steps: number, decoding: number): void {
    this.#sample.steps += steps;
    this.#sample.sequences += steps * decoding;
    this.#sample.contextTokens += steps * this.decodeContextTokens;
  }

  #closeSample(): void {
    const { ms } = this.#sample;
    if (ms < SAMPLE_MS || (this.prefilling > 0 && ms < SAMPLE_BESIDE_PROMPTS_MS)) return;
    this.#onSample?.(this.#sample);
    this.#sample = newSample();
  }

  /**
   * Compares the time since the last event with what the model says for the tokens that came in it. The decoding batch is the same all
   * that time, since whatever changes it is an event. What prompts took beside it is added when their first token comes.
   */
  #check(nowMs: number, stepTime: StepTimeCoefficients): void {
    const elapsedMs = nowMs - this.#checkedAtMs;
    if (elapsedMs <= 0) return;
    const decoding = this.inFlight - this.prefilling;
    if (this.inFlight > 0) {
      const decay = Math.exp(-elapsedMs / CHECK_WINDOW_MS);
      const tokens = this.#producedTokens - this.#checkedTokens;
      this.#checkedTokenMs = decoding === 0 ? 0 : decodeStepMs(stepTime, decoding, this.decodeContextTokens) / decoding;
      this.#actualMs = this.#actualMs * decay + elapsedMs;
      this.#modelMs = this.#modelMs * decay + tokens * this.#checkedTokenMs;
      this.#sample.ms += elapsedMs;
      if (decoding > 0) this.#countSteps(tokens / decoding, decoding);
    }
    this.#checkedAtMs = nowMs;
    this.#checkedTokens = this.#producedTokens;
  }
}

function newSample(): StepSample {
  return { ms: 0, steps: 0, sequences: 0, contextTokens: 0, prefillTokens: 0, prefillSquares: 0, computeMs: 0, weightsMs: 0 };
}

interface Open {
  prefillTokens: number;
  squares: number;
  prefilling: boolean;
  /** When its first token is expected to come. */
  expectedMs: number;
  /** TPOT that its replica is held to while it is there. */
  tpotMs: number | undefined;
}

function heldToTpotMs({ arrivalMs, targets }: QueuedRequest, nowMs: number): number | undefined {
  const { tpotMs, ttftMs = Number.POSITIVE_INFINITY, e2eMs = Number.POSITIVE_INFINITY } = targets;
  const isLate = nowMs - arrivalMs > Math.min(ttftMs, e2eMs);
  return isLate && tpotMs !== undefined ? LATE_TPOT_FACTOR * tpotMs : tpotMs;
}

/** Prompts that are likely not through yet. */
export interface PromptsAhead {
  prompts: number;
  tokens: number;
  squares: number;
}
