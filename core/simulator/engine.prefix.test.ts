import { expect, it } from 'vitest';
import { measuredStepTime, stepTimeMs } from '../domain/step-time.ts';
import { abort, createEngine, hasWork, step, submit } from './engine.ts';
import type { Engine, EngineConfig, EngineRequest, Sequence } from './engine-state.ts';
import { idleBlocks } from './kv-blocks.ts';

const stepTime = measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!.coefficients;
const config: EngineConfig = {
  stepTime,
  kvCacheTokens: 64_000,
  maxContextTokens: 64_000,
  maxSequences: 256,
  maxBatchedTokens: 2048,
  scheduling: 'fcfs',
  prefixCaching: { blockTokens: 512 },
};

/** A prompt of `blocks`, and some tokens behind them. */
const prompt = (blocks: string, rest = 100, outputTokens = 1): EngineRequest => ({
  inputTokens: 512 * blocks.length + rest,
  outputTokens,
  // The last id stands for a block that is filled in part.
  prefixBlocks: rest > 0 ? [...blocks, `${blocks}+${rest}`] : [...blocks],
});

function take(engine: Engine<EngineRequest>, request: EngineRequest): Sequence<EngineRequest> {
  const result = submit(engine, request);
  if (!result.accepted) throw new Error(result.rejection.reason);
  return result.sequence;
}

/** Submits one prompt, runs it to its end, and says how many tokens it prefilled. */
function prefilled(engine: Engine<EngineRequest>, request: EngineRequest): number {
  take(engine, request);
  let tokens = 0;
  while (hasWork(engine)) tokens += step(engine).load.prefillTokens;
  return tokens;
}

it('prefills only the rest of a prompt that it has seen, but attends to all of it', () => {
  const engine = createEngine(config);
  expect(prefilled(engine, prompt('abc'))).toBe(1636);
  submit(engine, prompt('abc'));
  const { load, durationMs } = step(engine);
  expect(load).toMatchObject({ prefillTokens: 100, prefillSquares: 1636 ** 2 - 1536 ** 2 });
  expect(durationMs).toBe(stepTimeMs(stepTime, load));
  expect(engine.prefixTokens).toEqual({ lookedUp: 3272, hit: 1536 });
  expect(prefilled(engine, prompt('abd', 5))).toBe(517);
  expect(prefilled(engine, prompt('xbc'))).toBe(1636);
});

it('computes the last block of a prompt of whole blocks again, since its last token yields the first of the answer', () => {
  const engine = createEngine(config);
  prefilled(engine, prompt('ab', 0));
  expect(prefilled(engine, prompt('ab', 0))).toBe(512);
  expect(prefilled(engine, prompt('ab', 1))).toBe(1);
});

it('caches nothing without being told to', () => {
  const { prefixCaching, ...plain } = config;
  const engine = createEngine(plain);
  prefilled(engine, prompt('abc'));
  expect(prefilled(engine, prompt('abc'))).toBe(1636);
  expect(engine.prefixTokens).toEqual({ lookedUp: 0, hit: 0 });
});

it('refuses prefix blocks that are not whole KV blocks', () => {
  expect(() => createEngine({ ...config, prefixCaching: { blockTokens: 100 } })).toThrow('prefix caching is not valid');
});

it('shares memory, so that more sequences fit', () => {
  const running = (requests: EngineRequest[]) => {
    const engine = createEngine({ ...config, kvCacheTokens: 4096 });
    prefilled(engine, prompt('abc'));
    for (const request of requests) submit(engine, request);
    for (let steps = 0; steps < 5; steps++) step(engine);
    return engine.running.length;
  };
  expect(running(['abc', 'abc', 'abc', 'abc', 'abc'].map((blocks) => prompt(blocks, 100, 200)))).toBe(5);
  expect(running(['def', 'ghi', 'jkl', 'mno', 'pqr'].map((blocks) => prompt(blocks, 100, 200)))).toBe(2);
});

it('sequences that run at once share what one of them computed', () => {
  const engine = createEngine(config);
  const first = take(engine, prompt('abc', 100, 50));
  step(engine);
  expect(engine.kv.used).toBe(3 * 32 + 7);
  const second = take(engine, prompt('abc', 100, 50));
  expect(step(engine).load.prefillTokens).toBe(100);
  expect(engine.kv.used).toBe(3 * 32 + 2 * 7);
  abort(engine, first);
  expect(engine.kv.used).toBe(3 * 32 + 7);
  abort(engine, second);
  expect([engine.kv.used, idleBlocks(engine.kv)]).toEqual([0, 3 * 32]);
});

it('evicts what was used least recently, the end of a prompt before its beginning', () => {
  const engine = createEngine({ ...config, kvCacheTokens: 3072 });
  prefilled(engine, prompt('ab', 16));
  prefilled(engine, prompt('cd', 16));
  prefilled(engine, prompt('ab', 16)); // now c and d are the oldest
  prefilled(engine, prompt('efg', 16)); // needs 97 of 192 blocks, of which 64 are free
  expect(prefilled(engine, prompt('ab', 16))).toBe(16);
  expect(prefilled(engine, prompt('efg', 16))).toBe(16);
  expect(prefilled(engine, prompt('cd', 16))).toBe(1040);
});

it('finds nothing after eviction, and idle blocks hold nobody up', () => {
  const engine = createEngine({ ...config, kvCacheTokens: 2048 });
  prefilled(engine, prompt('abc'));
  expect(idleBlocks(engine.kv)).toBe(96);
  expect(prefilled(engine, { inputTokens: 2048, outputTokens: 1 })).toBe(2048);
  expect(idleBlocks(engine.kv)).toBe(0);
  expect(prefilled(engine, prompt('abc'))).toBe(1636);
});

it('a preempted sequence may find its own prefix when it comes back, and shares nothing of its answer', () => {
  const engine = createEngine({ ...config, kvCacheTokens: 2560 });
  submit(engine, prompt('a', 500, 400));
  const victim = take(engine, prompt('b', 500, 400));
  while (victim.preemptions === 0) step(engine);
  const { generatedTokens } = victim;
  expect(generatedTokens).toBeGreaterThan(12); // its second block is full, but not of its prompt
  expect(victim.shared).toBe(0);
  while (victim.state === 'waiting') step(engine);
  expect(engine.result.load.prefillTokens).toBe(500 + generatedTokens);
  expect(victim.shared).toBe(1);
  while (hasWork(engine)) step(engine);
  expect(victim.generatedTokens).toBe(400);
  expect(engine.prefixTokens).toEqual({ lookedUp: 2024, hit: 0 });
});
