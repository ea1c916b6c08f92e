/**
 * One vLLM-like engine as a step function: continuous batching, chunked prefill, KV blocks, preemption by recompute. It has no
 * clock: `step` does the next step at once and says how long it would have taken. The discrete-event simulator adds that to its
 * time, the simulated engine server waits for it.
 *
 * State is mutable and reused, since this runs millions of times a second: a step costs time in proportion to its batch and, where
 * nothing is preempted, allocates nothing. State and rules are in `engine-state.ts`, `schedule.ts`, `kv-blocks.ts` and `waiting-queue.ts`.
 */
import { type StepLoad, stepTimeMs } from '../domain/step-time.ts';
import type { Engine, EngineConfig, EngineRequest, Sequence, StepResult, SubmitRejection, SubmitResult } from './engine-state.ts';
import { BLOCK_TOKENS, blocksFor, createKvBlocks, release } from './kv-blocks.ts';
import { normal } from './random.ts';
import { scheduleStep } from './schedule.ts';
import { dequeue, enqueue } from './waiting-queue.ts';

export function createEngine<R extends EngineRequest>(config: EngineConfig): Engine<R> {
  return {
    config,
    kv: createKvBlocks(config.kvCacheTokens),
    running: [],
    waiting: [],
    result: {
      durationMs: 0,
      load: { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 },
      admitted: [],
      emitted: [],
      finished: [],
      preempted: [],
    },
    arrivals: 0,
  };
}

/** Puts a request into the waiting queue, or says why it could never run. Its token counts are whole numbers of at least 1. */
export function submit<R extends EngineRequest>(engine: Engine<R>, request: R): SubmitResult<R> {
  const rejection = rejectionOf(engine, request);
  if (rejection) return { accepted: false, rejection };
  const sequence: Sequence<R> = {
    request,
    priority: engine.config.scheduling === 'priority' ? (request.priority ?? 0) : 0,
    arrival: engine.arrivals++,
    queueIndex: -1,
    state: 'waiting',
    prefillTokens: request.inputTokens,
    computedTokens: 0,
    generatedTokens: 0,
    scheduledTokens: 0,
    blocks: 0,
    preemptions: 0,
  };
  enqueue(engine.waiting, sequence);
  return { accepted: true, sequence };
}

function rejectionOf<R extends EngineRequest>(engine: Engine<R>, request: R): SubmitRejection | null {
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

/** Is there anything for a step to do? */
export function hasWork<R extends EngineRequest>(engine: Engine<R>): boolean {
  return engine.running.length > 0 || engine.waiting.length > 0;
}

/** Does one step. The result is the engine's own and valid until the next step; the state is that of the step's end. */
export function step<R extends EngineRequest>(engine: Engine<R>): StepResult<R> {
  const { result, config } = engine;
  clear(result);
  scheduleStep(engine);
  advance(engine);
  const { load } = result;
  if (load.prefillTokens + load.decodeSequences > 0) {
    const { noise } = config;
    result.durationMs = stepTimeMs(config.stepTime, load) * (noise ? Math.max(0.1, 1 + noise.share * normal(noise.random)) : 1);
  }
  return result;
}

function clear<R extends EngineRequest>(result: StepResult<R>): void {
  const { load } = result;
  result.durationMs = 0;
  load.prefillTokens = 0;
  load.prefillSquares = 0;
  load.decodeSequences = 0;
  load.decodeContextTokens = 0;
  if (result.admitted.length > 0) result.admitted.length = 0;
  if (result.finished.length > 0) result.finished.length = 0;
  if (result.preempted.length > 0) result.preempted.length = 0;
}

/** Computes what was scheduled, hands out tokens, and closes the gaps that finished sequences leave. */
function advance<R extends EngineRequest>(engine: Engine<R>): void {
  const { running, kv, result } = engine;
  const { load, emitted, finished } = result;
  let kept = 0;
  let tokens = 0;
  for (let i = 0; i < running.length; i++) {
    const sequence = running[i] as Sequence<R>;
    if (sequence.scheduledTokens > 0 && compute(sequence, load)) {
      emitted[tokens++] = sequence;
      sequence.generatedTokens++;
      if (sequence.generatedTokens === sequence.request.outputTokens) {
        sequence.state = 'finished';
        release(kv, sequence);
        finished.push(sequence);
        continue;
      }
    }
    running[kept++] = sequence;
  }
  running.length = kept;
  emitted.length = tokens;
}

/** Does the sequence's share of the step; true where that yields a token: any decode, and the last chunk of a prefill. */
function compute<R extends EngineRequest>(sequence: Sequence<R>, load: StepLoad): boolean {
  const before = sequence.computedTokens;
  const after = before + sequence.scheduledTokens;
  if (before >= sequence.prefillTokens) {
    load.decodeSequences++;
    load.decodeContextTokens += after;
  } else {
    load.prefillTokens += sequence.scheduledTokens;
    load.prefillSquares += after * after - before * before;
  }
  sequence.computedTokens = after;
  sequence.scheduledTokens = 0;
  return after >= sequence.prefillTokens;
}
