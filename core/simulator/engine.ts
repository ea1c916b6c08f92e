/**
 * One vLLM-like engine as a step function: continuous batching, chunked prefill, KV blocks, preemption by recompute. It has no
 * clock: `step` does the next step at once and says how long it would have taken. The discrete-event simulator adds that to its
 * time, the simulated engine server waits for it.
 *
 * State is mutable and reused, since this runs millions of times a second: a step costs time in proportion to its batch and, where
 * nothing is preempted or newly cached, allocates nothing. State and rules are in `engine-state.ts`, `schedule.ts`, `advance.ts`,
 * `kv-blocks.ts` and `waiting-queue.ts`.
 */
import { stepTimeMs } from '../domain/step-time.ts';
import { advance, decodeFirst, sureDecodes } from './advance.ts';
import type { Engine, EngineConfig, EngineRequest, Sequence, StepResult, SubmitRejection, SubmitResult } from './engine-state.ts';
import { BLOCK_TOKENS, blocksFor, createKvBlocks, type KvBlocks, release, take } from './kv-blocks.ts';
import type { PrefixBlockId } from './prefix-cache.ts';
import { preemptUntilTheyFit, scheduleStep } from './schedule.ts';
import { createStepNoise } from './step-noise.ts';
import { dequeue, enqueue } from './waiting-queue.ts';

/** @throws invalid-input where `prefixCaching` does not suit the KV cache */
export function createEngine<R extends EngineRequest>(config: EngineConfig): Engine<R> {
  return {
    config,
    kv: createKvBlocks(config.kvCacheTokens, config.prefixCaching),
    running: [],
    waiting: [],
    result: {
      durationMs: 0,
      load: { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 },
      admitted: [],
      emitted: [],
      firsts: [],
      finished: [],
      preempted: [],
    },
    noise: config.noise ? createStepNoise(config.noise) : null,
    prefixTokens: { lookedUp: 0, hit: 0 },
    arrivals: 0,
  };
}

/**
 * Puts a request into the waiting queue, or says why it could never run. Its token counts are whole numbers of at least 1.
 * @param priority lower goes sooner, for callers whose requests have another priority too
 */
export function submit<R extends EngineRequest>(engine: Engine<R>, request: R, priority = request.priority ?? 0): SubmitResult<R> {
  const rejection = rejectionOf(engine, request);
  if (rejection) return { accepted: false, rejection };
  const sequence: Sequence<R> = {
    request,
    outputTokens: request.outputTokens,
    priority: engine.config.scheduling === 'priority' ? priority : 0,
    arrival: engine.arrivals++,
    queueIndex: -1,
    state: 'waiting',
    prefillTokens: request.inputTokens,
    computedTokens: 0,
    generatedTokens: 0,
    scheduledTokens: 0,
    blocks: 0,
    shared: 0,
    prefix: cacheablePrefix(engine.kv, request),
    preemptions: 0,
  };
  enqueue(engine.waiting, sequence);
  return { accepted: true, sequence };
}

const NO_PREFIX: readonly PrefixBlockId[] = [];

/** Only blocks that the prompt fills: what follows a begun one is not known to be alike. */
function cacheablePrefix({ prefixes, prefixTokens }: KvBlocks, { prefixBlocks, inputTokens }: EngineRequest): readonly PrefixBlockId[] {
  if (!prefixes || !prefixBlocks) return NO_PREFIX;
  const full = Math.floor(inputTokens / prefixTokens);
  return prefixBlocks.length <= full ? prefixBlocks : prefixBlocks.slice(0, full);
}

/** Why the engine could never run it; null where it could. */
export function rejectionOf<R extends EngineRequest>(engine: Engine<R>, request: R): SubmitRejection | null {
  const contextTokens = request.inputTokens + request.outputTokens;
  if (contextTokens > engine.config.maxContextTokens) {
    return { reason: 'context-too-long', neededTokens: contextTokens, limitTokens: engine.config.maxContextTokens };
  }
  // The last token is returned and never fed back: it needs no room in the cache.
  if (blocksFor(contextTokens - 1) > engine.kv.total) {
    return { reason: 'kv-cache-too-small', neededTokens: contextTokens - 1, limitTokens: engine.kv.total * BLOCK_TOKENS };
  }
  return null;
}

/** Takes a sequence out and frees its blocks; false where it had ended before. */
export function abort<R extends EngineRequest>(engine: Engine<R>, sequence: Sequence<R>): boolean {
  if (sequence.state === 'waiting') {
    dequeue(engine.waiting, sequence);
  } else if (sequence.state === 'running') {
    engine.running.splice(engine.running.indexOf(sequence), 1);
    release(engine.kv, sequence);
  } else {
    return false;
  }
  sequence.state = 'aborted';
  return true;
}

/**
 * From now on its KV cache has so many tokens. Running sequences that have no more room are preempted; any that the cache could never hold
 * are taken out.
 */
export function resizeKvCache<R extends EngineRequest>(
  engine: Engine<R>,
  kvCacheTokens: number,
): { preempted: number; lost: Sequence<R>[] } {
  const { kv, running, waiting } = engine;
  kv.total = Math.floor(kvCacheTokens / BLOCK_TOKENS);
  const lost = [...running, ...waiting].filter(({ request }) => rejectionOf(engine, request) !== null);
  for (const sequence of lost) abort(engine, sequence);
  const preempted = preemptUntilTheyFit(engine);
  // Idle blocks of prefixes give way too.
  take(kv, 0);
  return { preempted, lost };
}

/** Is there anything for a step to do? */
export function hasWork<R extends EngineRequest>(engine: Engine<R>): boolean {
  return engine.running.length > 0 || engine.waiting.length > 0;
}

/** Does one step. The result is the engine's own and valid until the next step; the state is that of the step's end. */
export function step<R extends EngineRequest>(engine: Engine<R>): StepResult<R> {
  const { result, config, noise } = engine;
  const { load } = result;
  clear(result);
  const decoded = sureDecodes(engine);
  decodeFirst(engine, decoded);
  if (decoded < engine.running.length || engine.waiting.length > 0) scheduleStep(engine, decoded);
  advance(engine, decoded);
  if (load.prefillTokens + load.decodeSequences > 0) {
    result.durationMs = stepTimeMs(config.stepTime, load) * (noise ? noise() : 1);
  }
  return result;
}

/** Empties what the last step did, but for `emitted`, which mostly stays as it is. */
export function clear<R extends EngineRequest>(result: StepResult<R>): void {
  const { load, admitted, firsts, finished, preempted } = result;
  result.durationMs = 0;
  load.prefillTokens = 0;
  load.prefillSquares = 0;
  load.decodeSequences = 0;
  load.decodeContextTokens = 0;
  if (admitted.length > 0) admitted.length = 0;
  if (firsts.length > 0) firsts.length = 0;
  if (finished.length > 0) finished.length = 0;
  if (preempted.length > 0) preempted.length = 0;
}
