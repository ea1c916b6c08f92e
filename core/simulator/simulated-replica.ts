/** One engine of a simulated cluster, with what the gateway knows of it. */
import { allowedPart } from '../domain/routing.ts';
import { multiplied, type StepTimeCoefficients } from '../domain/step-time.ts';
import { LiveStepTime } from '../profiler/live-step-time.ts';
import { ReplicaLoad } from '../scheduler/load.ts';
import type { EngineLoad, ReplicaView } from '../scheduler/types.ts';
import { createEngine, hasWork, rejectionOf, resizeKvCache, step, submit } from './engine.ts';
import type { Engine, SchedulingPolicy } from './engine-state.ts';
import { BLOCK_TOKENS } from './kv-blocks.ts';
import { quietSteps, stepQuietly } from './quiet-steps.ts';
import { createRandom } from './random.ts';
import type { SimulatedRequest } from './simulated-request.ts';

export interface ReplicaSpec {
  id: string;
  /** The truth. */
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  maxContextTokens: number;
  maxSequences: number;
  maxBatchedTokens: number;
  scheduling: SchedulingPolicy;
  /** Tokens of a prefix block; null where the engine caches no prefixes. */
  prefixBlockTokens: number | null;
  /** Of all its accelerators; null without a price. */
  usdPerHour: number | null;
  /** Set where it batches statically, steps as `stepTime` says: `static-replica.ts`. What is said of continuous batching has then no meaning. */
  static?: { maxBatch: number; answers: 'at-batch-end' | 'as-they-end' };
}

const NONE: readonly SimulatedRequest[] = [];

/** Quiet steps are done at once where there is time for so many. */
const WORTH_STEPS = 3;

/** Of what a step did to a request. */
export interface Stepped {
  readonly request: SimulatedRequest;
}

/** From the begin of a step until there was nothing more to do. */
export interface BusySpan {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class SimulatedReplica implements ReplicaView {
  readonly id: string;
  readonly index: number;
  readonly spec: ReplicaSpec;
  readonly revision = 1;
  readonly weight = 100;
  maxInFlight: number;
  readonly batching: 'continuous' | 'static' = 'continuous';
  accepting = true;
  /** As the scheduler believes it to be. */
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  load: ReplicaLoad;
  /** What its steps show it to be. */
  liveStepTime: LiveStepTime;
  /** False while its engine is away. */
  isUp = true;
  generation = 1;
  engine: EngineLoad | null = null;
  stepping = false;
  steps = 0;
  preemptions = 0;
  busyMs = 0;
  /** When it was at work, in order. */
  readonly busy: BusySpan[] = [];
  #engine: Engine<SimulatedRequest>;
  readonly #quiet = { steps: 0, endMs: 0 };
  #gauges: EngineLoad | null = null;
  #kvShare = 1;
  /** NaN while it is idle. */
  #busySinceMs = Number.NaN;

  constructor(spec: ReplicaSpec, index: number, stepTime: StepTimeCoefficients, { seed, stepNoise }: { seed: number; stepNoise: number }) {
    this.id = spec.id;
    this.index = index;
    this.spec = spec;
    this.maxInFlight = spec.static?.maxBatch ?? spec.maxSequences;
    this.stepTime = stepTime;
    this.kvCacheTokens = spec.kvCacheTokens;
    this.liveStepTime = new LiveStepTime(stepTime);
    this.load = this.#newLoad();
    this.#engine = createEngine({
      stepTime: spec.stepTime,
      kvCacheTokens: spec.kvCacheTokens,
      maxContextTokens: spec.maxContextTokens,
      maxSequences: spec.maxSequences,
      maxBatchedTokens: spec.maxBatchedTokens,
      scheduling: spec.scheduling,
      ...(spec.prefixBlockTokens === null ? {} : { prefixCaching: { blockTokens: spec.prefixBlockTokens } }),
      ...(stepNoise > 0 ? { noise: { share: stepNoise, random: createRandom(`${seed}:${spec.id}`) } } : {}),
    });
  }

  /** From now on gateways may fill so much of its nominal KV cache, and have so many of its requests open there. */
  limit({ kvShare, maxInFlightShare }: { kvShare: number; maxInFlightShare: number }): void {
    this.#kvShare = kvShare;
    this.kvCacheTokens = allowedPart(this.spec.kvCacheTokens, kvShare);
    this.maxInFlight = allowedPart(this.spec.maxSequences, maxInFlightShare);
  }

  /** From now on its steps are held to take this. */
  recalibrate(stepTime: StepTimeCoefficients): void {
    this.load.restateStepTime(this.stepTime, stepTime);
    this.liveStepTime.restate(stepTime);
    this.stepTime = stepTime;
  }

  /** From the next step on, its steps take so many times as long: all that they do, or each of it. */
  slowDown(factors: number | StepTimeCoefficients): void {
    const { config } = this.#engine;
    config.stepTime = multiplied(config.stepTime, factors);
  }

  /** Its engine has only this share of its KV cache left; answers those that it has lost, since they are too long for that. */
  shrinkKvCache(share: number): SimulatedRequest[] {
    const { preempted, lost } = resizeKvCache(this.#engine, share * this.spec.kvCacheTokens);
    this.preemptions += preempted;
    return lost.map(({ request }) => request);
  }

  /** Share of its nominal KV cache in use, 0 to 1. */
  get nominalKvUsage(): number {
    return (this.#engine.kv.used * BLOCK_TOKENS) / this.spec.kvCacheTokens;
  }

  /** KV cache in use as the engine says, of what it has, 0 to 1. */
  get kvUsage(): number {
    const { used, total } = this.#engine.kv;
    return used / total;
  }

  get queued(): { running: number; waiting: number } {
    return { running: this.#engine.running.length, waiting: this.#engine.waiting.length };
  }

  /** Its engine is gone, with all that it had; answers what that was. Its step is to have ended. */
  die(nowMs: number): SimulatedRequest[] {
    const { running, waiting, config } = this.#engine;
    this.rest(nowMs);
    this.isUp = false;
    this.engine = null;
    this.#gauges = null;
    this.liveStepTime = new LiveStepTime(this.stepTime);
    this.load = this.#newLoad();
    this.#engine = createEngine(config);
    return [...running, ...waiting].map(({ request }) => request);
  }

  /** Its engine is back, empty: another generation. */
  comeBack(): void {
    this.isUp = true;
    this.generation += 1;
  }

  get hasWork(): boolean {
    return hasWork(this.#engine);
  }

  /** Could the engine, when empty, run it? */
  holds(request: SimulatedRequest): boolean {
    return rejectionOf(this.#engine, request) === null;
  }

  /** False where the engine refuses it: where it could not hold it. */
  take(request: SimulatedRequest, nowMs: number): boolean {
    // A scheduler's higher is an engine's lower.
    const submitted = submit(this.#engine, request, -request.priority);
    if (!submitted.accepted) return false;
    request.sequence = submitted.sequence;
    this.load.open(request, nowMs, this.stepTime);
    return true;
  }

  /**
   * Begins a step; answers how long it takes. Before `untilMs` nobody looks at the engine: it goes on to its next step by itself as long as
   * there is nothing to tell of the last, and the answer is how long all of them take.
   */
  startStep(nowMs: number, untilMs = Number.NEGATIVE_INFINITY): number {
    this.begin(nowMs);
    let endMs = this.#goOn(nowMs, untilMs);
    const { emitted, firsts, finished } = this.#engine.result;
    while (endMs < untilMs && firsts.length === 0 && finished.length === 0) {
      this.load.produced(emitted.length);
      endMs = this.#goOn(endMs, untilMs);
    }
    return endMs - nowMs;
  }

  /** One step or several quiet ones; answers when the last ends, whose tokens have not been told. */
  #goOn(nowMs: number, untilMs: number): number {
    const engine = this.#engine;
    const most = untilMs - nowMs < WORTH_STEPS * engine.result.durationMs ? 0 : quietSteps(engine);
    if (most < WORTH_STEPS) {
      const { durationMs, preempted } = step(engine);
      this.steps += 1;
      this.preemptions += preempted.length;
      return nowMs + durationMs;
    }
    const quiet = this.#quiet;
    stepQuietly(engine, most, nowMs, untilMs, quiet);
    this.steps += quiet.steps;
    this.load.produced((quiet.steps - 1) * engine.running.length);
    return quiet.endMs;
  }

  protected begin(nowMs: number): void {
    this.stepping = true;
    if (Number.isNaN(this.#busySinceMs)) this.#busySinceMs = nowMs;
  }

  /** It has nothing to do. */
  rest(nowMs: number): void {
    if (Number.isNaN(this.#busySinceMs)) return;
    this.busyMs += nowMs - this.#busySinceMs;
    this.busy.push({ fromMs: this.#busySinceMs, untilMs: nowMs });
    this.#busySinceMs = Number.NaN;
  }

  endStep(): { firsts: readonly Stepped[]; finished: readonly Stepped[] } {
    this.stepping = false;
    return this.#engine.result;
  }

  /** What an engine gives back when it starts: those of a batch that it has no memory for. They wait again. */
  takeRefused(): readonly SimulatedRequest[] {
    return NONE;
  }

  /** The gateway learns of the step that has just ended. */
  hear(nowMs: number): void {
    const { emitted, firsts, finished } = this.#engine.result;
    this.#tell(emitted.length, firsts, finished, nowMs);
  }

  /** The same, to be told later, when the engine's result is that of another step. */
  news(): (nowMs: number) => void {
    const { emitted, firsts, finished } = this.#engine.result;
    const told = { tokens: emitted.length, firsts: [...firsts], finished: [...finished], load: this.load };
    return (nowMs) => {
      // Of an engine that has died meanwhile there is nothing left to know.
      if (told.load === this.load) this.#tell(told.tokens, told.firsts, told.finished, nowMs);
    };
  }

  #tell(tokens: number, firsts: readonly Stepped[], finished: readonly Stepped[], nowMs: number): void {
    this.load.produced(tokens);
    for (const { request } of firsts) this.load.firstToken(request, nowMs, this.stepTime);
    for (const { request } of finished) this.load.end(request, nowMs, this.stepTime);
  }

  readGauges(): void {
    this.engine = this.#gauges;
    const { running, waiting, kv } = this.#engine;
    // A share of all of it; the scheduler's is one of what it may fill.
    this.#gauges = { running: running.length, waiting: waiting.length, kvCacheUsage: kv.used / kv.total / this.#kvShare };
  }

  /** It remembers the prefixes that were sent there: none where the engine caches none. */
  #newLoad(): ReplicaLoad {
    const { prefixBlockTokens, kvCacheTokens } = this.spec;
    const fit = this.liveStepTime;
    return new ReplicaLoad(prefixBlockTokens === null ? 0 : kvCacheTokens, (sample) => fit.observe(sample));
  }
}
