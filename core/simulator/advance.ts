/** What a step does to the sequences: computes their tokens, hands out what that yields, and lets those go that have all of theirs. */
import type { StepLoad } from '../domain/step-time.ts';
import type { Engine, EngineRequest, Sequence } from './engine-state.ts';
import { BLOCK_TOKENS, blocksFor, freeBlocks, type KvBlocks, release, sharePrefix, take } from './kv-blocks.ts';

/**
 * How many of the first running sequences decode in the next step whatever else is in it: all but one that is still prefilling, which
 * is the last (nobody is admitted before it is done). None where blocks may run short: then the scheduler chooses whom to preempt.
 */
export function sureDecodes<R extends EngineRequest>({ running, kv, config }: Engine<R>): number {
  const last = running[running.length - 1];
  if (last === undefined) return 0;
  const isPrefilling = last.computedTokens < last.prefillTokens;
  const decodes = isPrefilling ? running.length - 1 : running.length;
  const mostBlocks = decodes + (isPrefilling ? blocksFor(config.maxBatchedTokens) : 0);
  return mostBlocks <= freeBlocks(kv) ? decodes : 0;
}

/**
 * Schedules and computes the first `count` running sequences in one pass: does for them what `scheduleStep` and `advance` would, in a
 * third of the time. Who finished stays among the running until `advance`, since its blocks and its place are not free yet.
 */
export function decodeFirst<R extends EngineRequest>({ running, kv, result }: Engine<R>, count: number): void {
  const { load, emitted, finished } = result;
  let contextTokens = 0;
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const sequence = running[i] as Sequence<R>;
    const computed = sequence.computedTokens;
    // Shared blocks are whole blocks, so the last of its own is full exactly here.
    if (computed % BLOCK_TOKENS === 0) {
      sequence.blocks++;
      grown++;
    }
    sequence.computedTokens = computed + 1;
    contextTokens += computed + 1;
    sequence.generatedTokens++;
    if (sequence.generatedTokens === sequence.outputTokens) finished.push(sequence);
    // Mostly it stands there from the step before, and to look is cheaper than to write.
    if (emitted[i] !== sequence) emitted[i] = sequence;
  }
  load.decodeSequences = count;
  load.decodeContextTokens = contextTokens;
  if (grown > 0) take(kv, grown);
}

/** Computes what was scheduled for all but the first `decoded`, which are, and closes the gaps that finished sequences leave. */
export function advance<R extends EngineRequest>({ running, kv, result }: Engine<R>, decoded: number): void {
  const { load, emitted, firsts, finished } = result;
  let kept = finished.length > 0 ? dropFinished(running, kv, decoded) : decoded;
  let tokens = decoded;
  for (let i = decoded; i < running.length; i++) {
    const sequence = running[i] as Sequence<R>;
    if (sequence.scheduledTokens > 0 && compute(sequence, kv, load)) {
      emitted[tokens++] = sequence;
      sequence.generatedTokens++;
      if (sequence.generatedTokens === 1) firsts.push(sequence);
      if (sequence.generatedTokens === sequence.outputTokens) {
        finish(sequence, kv);
        finished.push(sequence);
        continue;
      }
    }
    running[kept++] = sequence;
  }
  if (running.length > kept) running.length = kept;
  if (emitted.length > tokens) emitted.length = tokens;
}

/** @returns how many of the first `count` are left, moved together */
function dropFinished<R extends EngineRequest>(running: Sequence<R>[], kv: KvBlocks, count: number): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const sequence = running[i] as Sequence<R>;
    if (sequence.generatedTokens === sequence.outputTokens) finish(sequence, kv);
    else running[kept++] = sequence;
  }
  return kept;
}

function finish<R extends EngineRequest>(sequence: Sequence<R>, kv: KvBlocks): void {
  sequence.state = 'finished';
  release(kv, sequence);
}

/** Does the sequence's share of the step; true where that yields a token: any decode, and the last chunk of a prefill. */
function compute<R extends EngineRequest>(sequence: Sequence<R>, kv: KvBlocks, load: StepLoad): boolean {
  const before = sequence.computedTokens;
  const after = before + sequence.scheduledTokens;
  sequence.computedTokens = after;
  sequence.scheduledTokens = 0;
  if (before >= sequence.prefillTokens) {
    load.decodeSequences++;
    load.decodeContextTokens += after;
    return true;
  }
  load.prefillTokens += after - before;
  load.prefillSquares += after * after - before * before;
  sharePrefix(kv, sequence, after);
  return after >= sequence.prefillTokens;
}
