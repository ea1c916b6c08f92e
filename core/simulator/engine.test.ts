import { describe, expect, it } from 'vitest';
import { decodeStepMs, measuredStepTime, prefillMs } from '../domain/step-time.ts';
import { abort, createEngine, hasWork, step, submit } from './engine.ts';
import type { Engine, EngineConfig, EngineRequest, Sequence } from './engine-state.ts';
import { createRandom } from './random.ts';

const stepTime = measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!.coefficients;
const config: EngineConfig = {
  stepTime,
  kvCacheTokens: 400_000,
  maxContextTokens: 131_072,
  maxSequences: 256,
  maxBatchedTokens: 2048,
  scheduling: 'fcfs',
};

interface Named extends EngineRequest {
  name: string;
}

function take<R extends EngineRequest>(engine: Engine<R>, request: R): Sequence<R> {
  const result = submit(engine, request);
  if (!result.accepted) throw new Error(result.rejection.reason);
  return result.sequence;
}

/** Names in the order in which they finish, and the time that takes. */
function run(engine: Engine<Named>): { order: string[]; ms: number } {
  const order: string[] = [];
  let ms = 0;
  while (hasWork(engine)) {
    const result = step(engine);
    ms += result.durationMs;
    for (const sequence of result.finished) order.push(sequence.request.name);
  }
  return { order, ms };
}

describe('time of an unloaded engine', () => {
  it.each([
    [1, 1],
    [100, 20],
    [2048, 5],
    [2049, 5],
    [10_000, 300],
  ])('%i tokens in, %i out: prefill, then one decode step for each further token', (inputTokens, outputTokens) => {
    const engine = createEngine<Named>(config);
    submit(engine, { name: 'a', inputTokens, outputTokens });
    let expected = prefillMs(stepTime, inputTokens, config.maxBatchedTokens);
    for (let i = 1; i < outputTokens; i++) expected += decodeStepMs(stepTime, 1, inputTokens + i);
    expect(run(engine).ms).toBeCloseTo(expected, 6);
  });

  it('a step with nothing to do takes no time', () => {
    expect(step(createEngine(config)).durationMs).toBe(0);
  });
});

describe('submit', () => {
  it('says which limit a request that can never run exceeds, and by how much', () => {
    const engine = createEngine({ ...config, maxContextTokens: 1000, kvCacheTokens: 645 });
    expect(submit(engine, { inputTokens: 900, outputTokens: 101 })).toEqual({
      accepted: false,
      rejection: { reason: 'context-too-long', neededTokens: 1001, limitTokens: 1000 },
    });
    expect(submit(engine, { inputTokens: 600, outputTokens: 42 })).toEqual({
      accepted: false,
      rejection: { reason: 'kv-cache-too-small', neededTokens: 641, limitTokens: 640 },
    });
    expect(hasWork(engine)).toBe(false);
    expect(submit(engine, { inputTokens: 600, outputTokens: 41 }).accepted).toBe(true);
  });
});

describe('composition of a step', () => {
  it('decodes before it prefills, and keeps to the token budget', () => {
    const engine = createEngine<EngineRequest>(config);
    for (let i = 0; i < 100; i++) submit(engine, { inputTokens: 10, outputTokens: 50 });
    step(engine);
    submit(engine, { inputTokens: 5000, outputTokens: 2 });
    const { load, emitted } = step(engine);
    expect(load).toMatchObject({ decodeSequences: 100, prefillTokens: 1948 });
    expect(emitted).toHaveLength(100);
    expect(step(engine).load.prefillTokens).toBe(1948);
    expect(step(engine).load.prefillTokens).toBe(5000 - 2 * 1948);
  });

  it('packs several prompts into one step', () => {
    const engine = createEngine<EngineRequest>(config);
    for (let i = 0; i < 4; i++) submit(engine, { inputTokens: 600, outputTokens: 9 });
    expect(step(engine).emitted).toHaveLength(3);
    expect(step(engine).load).toMatchObject({ decodeSequences: 3, prefillTokens: 352 });
  });

  it('runs no more sequences than it may', () => {
    const engine = createEngine<EngineRequest>({ ...config, maxSequences: 4 });
    for (let i = 0; i < 10; i++) submit(engine, { inputTokens: 10, outputTokens: 5 });
    expect(step(engine).admitted).toHaveLength(4);
    expect(engine.waiting).toHaveLength(6);
  });

  it('admits a prompt only where the whole of it fits the cache', () => {
    const engine = createEngine<EngineRequest>({ ...config, kvCacheTokens: 4096 });
    submit(engine, { inputTokens: 1000, outputTokens: 100 });
    submit(engine, { inputTokens: 3500, outputTokens: 10 });
    submit(engine, { inputTokens: 10, outputTokens: 10 });
    expect(step(engine).admitted).toHaveLength(1);
    expect(engine.waiting).toHaveLength(2);
  });
});

describe('order', () => {
  const requests: Named[] = ['a', 'b', 'c', 'd'].map((name, i) => ({ name, inputTokens: 50, outputTokens: 10, priority: 10 - i }));

  it('is that of arrival under FCFS, whatever the priorities', () => {
    const engine = createEngine<Named>({ ...config, maxSequences: 1 });
    for (const request of requests) submit(engine, request);
    expect(run(engine).order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is lower number first under priority scheduling, then arrival', () => {
    const engine = createEngine<Named>({ ...config, maxSequences: 1, scheduling: 'priority' });
    for (const request of requests) submit(engine, request);
    submit(engine, { name: 'e', inputTokens: 50, outputTokens: 10, priority: 7 });
    submit(engine, { name: 'f', inputTokens: 50, outputTokens: 10 });
    expect(run(engine).order).toEqual(['f', 'd', 'e', 'c', 'b', 'a']);
  });
});

describe('preemption', () => {
  const tight: EngineConfig = { ...config, kvCacheTokens: 512 };

  it('takes the last admitted, which comes back before those that never ran, and all finish', () => {
    const engine = createEngine<Named>(tight);
    for (const name of ['a', 'b', 'c', 'd']) submit(engine, { name, inputTokens: 150, outputTokens: 200 });
    const admitted: string[] = [];
    const preempted: string[] = [];
    const order: string[] = [];
    while (hasWork(engine)) {
      const result = step(engine);
      for (const s of result.admitted) admitted.push(s.request.name);
      for (const s of result.preempted) preempted.push(s.request.name);
      for (const s of result.finished) order.push(s.request.name);
    }
    expect(preempted.slice(0, 2)).toEqual(['c', 'b']);
    expect(admitted.lastIndexOf('c')).toBeLessThan(admitted.indexOf('d'));
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    expect(engine.kv.used).toBe(0);
  });

  it('takes the lowest priority, and computes again what it had', () => {
    const engine = createEngine<Named>({ ...tight, scheduling: 'priority' });
    const low = take(engine, { name: 'low', inputTokens: 150, outputTokens: 300, priority: 5 });
    submit(engine, { name: 'high', inputTokens: 150, outputTokens: 300, priority: 1 });
    while (low.preemptions === 0) step(engine);
    expect(low).toMatchObject({ state: 'waiting', blocks: 0, computedTokens: 0, prefillTokens: 150 + low.generatedTokens });
    expect(low.generatedTokens).toBeGreaterThan(50);
    expect(run(engine).order).toEqual(['high', 'low']);
    expect(low.generatedTokens).toBe(300);
  });

  it('for a prefill comes before the step, in which the victim has no part', () => {
    const engine = createEngine<Named>({ ...tight, maxBatchedTokens: 101, scheduling: 'priority' });
    submit(engine, { name: 'low', inputTokens: 100, outputTokens: 100, priority: 5 });
    for (let i = 0; i < 11; i++) step(engine);
    // Fits exactly, until the other takes one more block.
    submit(engine, { name: 'high', inputTokens: 400, outputTokens: 2, priority: 1 });
    for (let i = 0; i < 3; i++) step(engine);
    const { preempted, emitted } = step(engine);
    expect(preempted.map((s) => [s.request.name, s.generatedTokens])).toEqual([['low', 14]]);
    expect(emitted.map((s) => s.request.name)).toEqual(['high']);
  });
});

describe('abort', () => {
  it('takes out what waits and what runs, and nothing twice', () => {
    const engine = createEngine<EngineRequest>({ ...config, maxSequences: 1 });
    const running = take(engine, { inputTokens: 100, outputTokens: 50 });
    const waiting = take(engine, { inputTokens: 100, outputTokens: 50 });
    step(engine);
    expect(engine.kv.used).toBe(7);
    expect(abort(engine, waiting)).toBe(true);
    expect(abort(engine, running)).toBe(true);
    expect(abort(engine, running)).toBe(false);
    expect(hasWork(engine)).toBe(false);
    expect(engine.kv.used).toBe(0);
  });
});

describe('noise', () => {
  const total = (seed: number) => {
    const engine = createEngine<Named>({ ...config, noise: { share: 0.05, random: createRandom(seed) } });
    for (let i = 0; i < 50; i++) submit(engine, { name: `${i}`, inputTokens: 100 + i, outputTokens: 100 });
    return run(engine).ms;
  };

  it('is the same for the same seed, differs for another, and does not shift the mean', () => {
    expect(total(1)).toBe(total(1));
    expect(total(1)).not.toBe(total(2));
    const engine = createEngine<Named>(config);
    for (let i = 0; i < 50; i++) submit(engine, { name: `${i}`, inputTokens: 100 + i, outputTokens: 100 });
    expect(total(1) / run(engine).ms).toBeCloseTo(1, 1);
  });
});
