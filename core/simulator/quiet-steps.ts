/**
 * Many steps at once, where all of them do the same: decode one token for each running sequence. Durations are worked out for every step,
 * in the order and with the noise that single steps would have; the sequences are written once.
 */
import { stepTimeMs } from '../domain/step-time.ts';
import { clear } from './engine.ts';
import type { Engine, EngineRequest, Sequence } from './engine-state.ts';
import { BLOCK_TOKENS, blocksFor, freeBlocks, take } from './kv-blocks.ts';

/** How many of the next steps do nothing but decode those that run: nobody joins, ends or is preempted in them. */
export function quietSteps<R extends EngineRequest>({ running, waiting, kv, config }: Engine<R>): number {
  const last = running[running.length - 1];
  if (last === undefined || last.computedTokens < last.prefillTokens) return 0;
  if (waiting.length > 0 && running.length < config.maxSequences) return 0;
  let steps = BLOCK_TOKENS * Math.floor(freeBlocks(kv) / running.length);
  for (let i = 0; i < running.length; i++) {
    const { outputTokens, generatedTokens } = running[i] as Sequence<R>;
    if (outputTokens - generatedTokens - 1 < steps) steps = outputTokens - generatedTokens - 1;
  }
  return steps;
}

/**
 * Does at most `most` of them, which must be at least 1 and no more than `quietSteps`, from `startMs` until one ends at `untilMs` or later.
 * `engine.result` is then that of the last, and `ends` says how many there were and when the last one ends.
 */
export function stepQuietly<R extends EngineRequest>(
  engine: Engine<R>,
  most: number,
  startMs: number,
  untilMs: number,
  ends: { steps: number; endMs: number },
): void {
  const { running, kv, result, config, noise } = engine;
  const { load, emitted } = result;
  const count = running.length;
  let contextTokens = 0;
  for (let i = 0; i < count; i++) contextTokens += (running[i] as Sequence<R>).computedTokens;
  clear(result);
  load.decodeSequences = count;
  let steps = 0;
  let endMs = startMs;
  do {
    contextTokens += count;
    load.decodeContextTokens = contextTokens;
    result.durationMs = stepTimeMs(config.stepTime, load) * (noise ? noise() : 1);
    endMs += result.durationMs;
    steps++;
  } while (steps < most && endMs < untilMs);

  let grown = 0;
  for (let i = 0; i < count; i++) {
    const sequence = running[i] as Sequence<R>;
    const before = sequence.computedTokens;
    // Shared blocks are whole blocks: the last of its own is full where all of its tokens fill whole blocks.
    const blocks = blocksFor(before + steps) - blocksFor(before);
    sequence.blocks += blocks;
    grown += blocks;
    sequence.computedTokens = before + steps;
    sequence.generatedTokens += steps;
    if (emitted[i] !== sequence) emitted[i] = sequence;
  }
  if (emitted.length > count) emitted.length = count;
  if (grown > 0) take(kv, grown);
  ends.steps = steps;
  ends.endMs = endMs;
}
