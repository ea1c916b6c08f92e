/** What an engine and its sequences are made of. `engine.ts` is the way in. */
import type { StepLoad, StepTimeCoefficients } from '../domain/step-time.ts';
import type { BlockHolder, KvBlocks } from './kv-blocks.ts';
import type { PrefixBlockId } from './prefix-cache.ts';
import type { StepNoise } from './step-noise.ts';
import type { Queued } from './waiting-queue.ts';

/** vLLM's defaults on a server with chunked prefill. */
export const DEFAULT_MAX_SEQUENCES = 256;
export const DEFAULT_MAX_BATCHED_TOKENS = 2048;
/** Standard deviation of a step's duration, as a share of it. */
export const DEFAULT_STEP_NOISE = 0.05;

export type SchedulingPolicy = 'fcfs' | 'priority';

export interface EngineConfig {
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  /** Input and output of one request together. */
  maxContextTokens: number;
  maxSequences: number;
  /** Tokens of one step, decoding and prefilling together. */
  maxBatchedTokens: number;
  /** `fcfs` ignores priorities, as vLLM does without `--scheduling-policy priority`. */
  scheduling: SchedulingPolicy;
  /** Steps take exactly their predicted time where absent. */
  noise?: StepNoise;
  /** Prompts that begin alike are computed and kept once, by blocks of so many tokens (512 in Mooncake's traces). None where absent. */
  prefixCaching?: { blockTokens: number };
}

/** What the engine reads of a request; callers pass an object of their own that has more. */
export interface EngineRequest {
  readonly inputTokens: number;
  /** Tokens it will produce: a simulated engine knows. */
  readonly outputTokens: number;
  /** Lower goes sooner, as in the body of vLLM's API. 0 where absent. */
  readonly priority?: number;
  /** Ids of the blocks that its prompt begins with, the first first. Read by engines with prefix caching. */
  readonly prefixBlocks?: readonly PrefixBlockId[];
}

export type SequenceState = 'waiting' | 'running' | 'finished' | 'aborted';

/** A request inside the engine. Read it; only the engine writes it. */
export interface Sequence<R extends EngineRequest> extends BlockHolder, Queued {
  readonly request: R;
  /** The request's. */
  readonly outputTokens: number;
  state: SequenceState;
  /** Tokens to prefill before it decodes: its input, and after a preemption also what it had produced. */
  prefillTokens: number;
  /** Tokens whose keys and values are in the cache. */
  computedTokens: number;
  generatedTokens: number;
  /** Tokens of the step in composition. */
  scheduledTokens: number;
  preemptions: number;
}

/** What a step did. The engine has one and fills it anew every step: read it before the next. */
export interface StepResult<R extends EngineRequest> {
  /** 0 where there was nothing to do. */
  durationMs: number;
  readonly load: StepLoad;
  /** Left the waiting queue in this step. */
  readonly admitted: Sequence<R>[];
  /** Each produced one token. */
  readonly emitted: Sequence<R>[];
  /** Those of `emitted` for which it was the first. */
  readonly firsts: Sequence<R>[];
  /** Those of `emitted` for which it was the last. */
  readonly finished: Sequence<R>[];
  /** Lost their blocks and wait again. */
  readonly preempted: Sequence<R>[];
}

export interface Engine<R extends EngineRequest> {
  readonly config: EngineConfig;
  readonly kv: KvBlocks;
  /** In order of admission. */
  readonly running: Sequence<R>[];
  /** A heap: the first is the next, the others are in no order. */
  readonly waiting: Sequence<R>[];
  readonly result: StepResult<R>;
  /** Factor on the next step's duration; null where steps take exactly their predicted time. */
  readonly noise: (() => number) | null;
  /** Tokens of admitted prompts that were looked up in the prefix cache, and found there. Preempted ones that come back do not count. */
  readonly prefixTokens: { lookedUp: number; hit: number };
  arrivals: number;
}

/** Why a request was not taken. */
export interface SubmitRejection {
  reason: 'context-too-long' | 'kv-cache-too-small';
  /** What it would need, and what there is, tokens. */
  neededTokens: number;
  limitTokens: number;
}

export type SubmitResult<R extends EngineRequest> =
  | { accepted: true; sequence: Sequence<R> }
  | { accepted: false; rejection: SubmitRejection };
