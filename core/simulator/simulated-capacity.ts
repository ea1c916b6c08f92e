/**
 * What one replica can serve, by simulation of its engine: the rate at which its targets still hold, and whether they hold at a given
 * rate. Poisson arrivals, lognormal lengths, one engine with its usual settings. It is what `placement/capacity/` says in closed form.
 */
import type { SloTargets } from '../domain/slo-policy.ts';
import { INPUT_VARIATION, type Lengths, OUTPUT_VARIATION, type ReplicaSpeed, replicaCapacity } from '../placement/capacity/capacity.ts';
import { logNormalQuantile } from '../placement/distributions.ts';
import { createEngine, hasWork, step, submit } from './engine.ts';
import { DEFAULT_MAX_BATCHED_TOKENS, DEFAULT_MAX_SEQUENCES, DEFAULT_STEP_NOISE, type Engine, type EngineConfig } from './engine-state.ts';
import { quietSteps, stepQuietly } from './quiet-steps.ts';
import { createRandom, type Random } from './random.ts';
import { largestRate } from './search.ts';

export interface TrialOptions {
  seed: number | string;
  /** How many are judged. */
  requests?: number;
  /** Coefficients of variation of the lengths. */
  inputVariation?: number;
  outputVariation?: number;
}

const CHECKED_REQUESTS = 2000;
/** As many as it takes for so many to miss: capacity then differs by 1 to 2 % between seeds, by up to 5 % with long prompts. */
const MISSES = 1000;
const MOST_REQUESTS = 50_000;
/** So many more arrive before those that are judged, until the batch has settled, and behind them, so that the last ones have company. */
const WARM_UP_REQUESTS = 600;
const FOLLOWING_REQUESTS = 300;
/** Share of a rate that is no load to speak of. */
const NEARLY_IDLE = 1e-3;
/** Finite, so that no time at all is within it. */
const NO_LIMIT = Number.MAX_VALUE;

/**
 * The share of requests that meet all of their targets at this rate, 0 to 1. A request that the KV cache could never hold does not. At a
 * rate that the engine does not keep up with none does in the long run: the share is 0.
 */
export function checkShape(
  speed: ReplicaSpeed,
  lengths: Lengths,
  targets: SloTargets,
  ratePerSecond: number,
  { requests = CHECKED_REQUESTS, ...options }: TrialOptions,
): { attainment: number } {
  return { attainment: new Trial(speed, lengths, targets, { requests, ...options }).attainment(ratePerSecond) };
}

/**
 * The largest rate, requests a second, at which `targets.attainment` of the requests meet all of their targets; 0 where not even a nearly
 * idle replica attains so much.
 * @param precision relative width at which the search stops
 */
export function simulatedCapacity(
  speed: ReplicaSpeed,
  lengths: Lengths,
  targets: SloTargets,
  { requests, precision = 0.01, ...options }: TrialOptions & { precision?: number },
): number {
  const judged = requests ?? Math.min(MOST_REQUESTS, Math.ceil(MISSES / (1 - targets.attainment)));
  const trial = new Trial(speed, lengths, targets, { requests: judged, ...options });
  const run = (rateScale: number) => ({ rateScale, attainment: trial.attainment(rateScale, targets.attainment) });
  const startRate = replicaCapacity(speed, lengths, targets, options).requestsPerSecond;
  if (run(startRate * NEARLY_IDLE).attainment < targets.attainment) return 0;
  return largestRate(run, { attainment: targets.attainment, precision, startRate })?.rateScale ?? 0;
}

interface TrialRequest {
  inputTokens: number;
  outputTokens: number;
  /** In mean gaps between two arrivals. */
  arrival: number;
  arrivalMs: number;
  firstMs: number;
  isJudged: boolean;
}

/** The same requests at any rate: only the time between them differs, so that a search is not misled by other draws. */
class Trial {
  readonly #requests: readonly TrialRequest[];
  readonly #judged: number;
  readonly #config: Omit<EngineConfig, 'noise'>;
  readonly #targets: SloTargets;
  readonly #seed: number | string;

  constructor(
    { stepTime, kvCacheTokens }: ReplicaSpeed,
    lengths: Lengths,
    targets: SloTargets,
    options: TrialOptions & { requests: number },
  ) {
    this.#requests = trialRequests(lengths, options);
    this.#judged = options.requests;
    this.#targets = targets;
    this.#seed = options.seed;
    this.#config = {
      stepTime,
      kvCacheTokens,
      maxContextTokens: Number.POSITIVE_INFINITY,
      maxSequences: DEFAULT_MAX_SEQUENCES,
      maxBatchedTokens: DEFAULT_MAX_BATCHED_TOKENS,
      scheduling: 'fcfs',
    };
  }

  /** @param enough stops as soon as less than this share can attain, and says something below it */
  attainment(ratePerSecond: number, enough = 0): number {
    const requests = this.#requests;
    const engine = this.#engine();
    const { result } = engine;
    const { ttftMs = NO_LIMIT, tpotMs = NO_LIMIT, e2eMs = NO_LIMIT } = this.#targets;
    const gapMs = 1000 / ratePerSecond;
    const ends = { steps: 0, endMs: 0 };
    const mayMiss = Math.floor(this.#judged * (1 - enough) + 1e-9);
    const lastThird = WARM_UP_REQUESTS + (this.#judged * 2) / 3;
    let keepsUp = false;
    let left = this.#judged;
    let missed = 0;
    let next = 0;
    let nextMs = requests[0]!.arrival * gapMs;
    let nowMs = nextMs;
    while (left > 0 && missed <= mayMiss) {
      if (!hasWork(engine)) nowMs = nextMs;
      for (; nextMs <= nowMs; nextMs = next < requests.length ? requests[next]!.arrival * gapMs : Number.POSITIVE_INFINITY) {
        const request = requests[next++]!;
        request.arrivalMs = nextMs;
        if (submit(engine, request).accepted || !request.isJudged) continue;
        left--;
        missed++;
      }
      const quiet = quietSteps(engine);
      if (quiet > 0) {
        stepQuietly(engine, quiet, nowMs, nextMs, ends);
        nowMs = ends.endMs;
        continue;
      }
      step(engine);
      nowMs += result.durationMs;
      // A queue that grows without end is never empty late in the run, and that of a rate that can be served often is.
      keepsUp ||= engine.waiting.length === 0 && next > lastThird && next < requests.length;
      for (const { request } of result.firsts) request.firstMs = nowMs;
      for (const { request } of result.finished) {
        const { isJudged, arrivalMs, firstMs, outputTokens } = request;
        if (!isJudged) continue;
        left--;
        // A single token has no time between tokens.
        const meets = firstMs - arrivalMs <= ttftMs && nowMs - firstMs <= tpotMs * (outputTokens - 1) && nowMs - arrivalMs <= e2eMs;
        if (!meets) missed++;
      }
    }
    return keepsUp || left > 0 ? 1 - missed / this.#judged : 0;
  }

  #engine(): Engine<TrialRequest> {
    return createEngine({ ...this.#config, noise: { share: DEFAULT_STEP_NOISE, random: createRandom(`${this.#seed} noise`) } });
  }
}

function trialRequests(lengths: Lengths, { requests, seed, ...variations }: TrialOptions & { requests: number }): TrialRequest[] {
  const random = createRandom(seed);
  const part = (since: number, count: number, isJudged: boolean) =>
    evenRequests(random, since, count, lengths, { ...variations, isJudged });
  return [
    ...part(0, WARM_UP_REQUESTS, false),
    ...part(WARM_UP_REQUESTS, requests, true),
    ...part(WARM_UP_REQUESTS + requests, FOLLOWING_REQUESTS, false),
  ];
}

/**
 * So many requests that come in the time in which so many are expected, and whose lengths are one from each of as many equal shares of their
 * distribution: what is asked for hardly depends on the seed, only its order does.
 */
function evenRequests(
  random: Random,
  sinceArrival: number,
  count: number,
  { inputTokens, outputTokens }: Lengths,
  { isJudged, inputVariation = INPUT_VARIATION, outputVariation = OUTPUT_VARIATION }: Partial<TrialOptions> & { isJudged: boolean },
): TrialRequest[] {
  const inputs = evenLengths(random, count, inputTokens, inputVariation);
  const outputs = evenLengths(random, count, outputTokens, outputVariation);
  let sum = 0;
  const arrivals = inputs.map(() => {
    sum -= Math.log(1 - random());
    return sum;
  });
  return arrivals.map((at, i) => ({
    inputTokens: inputs[i]!,
    outputTokens: outputs[i]!,
    arrival: sinceArrival + (at * count) / sum,
    arrivalMs: 0,
    firstMs: 0,
    isJudged,
  }));
}

function evenLengths(random: Random, count: number, mean: number, variation: number): number[] {
  const lengths = Array.from({ length: count }, (_, i) =>
    Math.max(1, Math.round(logNormalQuantile((i + random()) / count, mean, (mean * variation) ** 2))),
  );
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [lengths[i], lengths[other]] = [lengths[other]!, lengths[i]!];
  }
  return lengths;
}
