import fc from 'fast-check';
import { expect, it } from 'vitest';
import { measuredStepTime, stepTimeMs } from '../domain/step-time.ts';
import { advance, sureDecodes } from './advance.ts';
import { abort, createEngine, hasWork, step, submit } from './engine.ts';
import type { Engine, EngineRequest, Sequence, StepResult } from './engine-state.ts';
import { blocksFor, idleBlocks } from './kv-blocks.ts';
import type { PrefixBlockId } from './prefix-cache.ts';
import { scheduleStep } from './schedule.ts';

interface Numbered extends EngineRequest {
  id: number;
}
type Arrival = Omit<Numbered, 'id'> & { atStep: number; abortAtStep: number | null };

/** Three families of prompts; those of a family begin alike for as long as its members of the least `alike` do. */
const prefix = fc
  .record({ family: fc.integer({ min: 0, max: 2 }), alike: fc.integer({ min: 0, max: 10 }), own: fc.nat() })
  .map(({ family, alike, own }): PrefixBlockId[] =>
    Array.from({ length: 10 }, (_, i) => (i < alike ? family * 100 + i : `${family}/${alike}/${own}/${i}`)),
  );

const arrival: fc.Arbitrary<Arrival> = fc.record({
  atStep: fc.integer({ min: 0, max: 40 }),
  inputTokens: fc.integer({ min: 1, max: 300 }),
  outputTokens: fc.integer({ min: 1, max: 120 }),
  priority: fc.integer({ min: 0, max: 3 }),
  abortAtStep: fc.option(fc.integer({ min: 0, max: 120 }), { freq: 4 }),
  prefixBlocks: prefix,
});

const shape = fc.record({
  kvCacheTokens: fc.integer({ min: 100, max: 1500 }),
  maxSequences: fc.integer({ min: 1, max: 12 }),
  maxBatchedTokens: fc.integer({ min: 12, max: 256 }),
  scheduling: fc.constantFrom('fcfs' as const, 'priority' as const),
  prefixCaching: fc.constantFrom(undefined, { blockTokens: 16 }, { blockTokens: 48 }),
});

const stepTime = measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients;

function checkConservation(engine: Engine<Numbered>, all: Sequence<Numbered>[]): void {
  const { kv } = engine;
  const own = all.reduce((sum, s) => sum + s.blocks, 0);
  const shared = new Set(all.flatMap((s) => s.prefix.slice(0, s.shared)));
  expect(kv.used).toBe(own + shared.size * kv.blocksPerPrefix);
  expect(kv.used + idleBlocks(kv)).toBeLessThanOrEqual(kv.total);
  expect(kv.prefixes ? kv.prefixes.blocks.size - kv.prefixes.idle : 0).toBe(shared.size);
  for (const s of all) {
    if (s.state === 'running') expect(s.blocks).toBe(blocksFor(s.computedTokens - s.shared * kv.prefixTokens));
    else expect(s.blocks + s.shared).toBe(0);
  }
  // Nobody is admitted behind one that is still prefilling.
  expect(engine.running.slice(0, -1).some((s) => s.computedTokens < s.prefillTokens)).toBe(false);
  expect(engine.running.length).toBe(all.filter((s) => s.state === 'running').length);
  expect(engine.waiting.length).toBe(all.filter((s) => s.state === 'waiting').length);
}

it('conserves blocks, keeps to its limits, and ends every request exactly once, whatever arrives and leaves', () => {
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 25 }), shape, (arrivals: Arrival[], limits) => {
      const engine = createEngine<Numbered>({ ...limits, stepTime, maxContextTokens: 400 });
      const taken = new Map<number, { sequence: Sequence<Numbered>; arrival: Arrival; tokens: number; firsts: number }>();
      const ended = new Map<number, 'finished' | 'aborted'>();
      const end = (id: number, how: 'finished' | 'aborted') => {
        expect(ended.has(id)).toBe(false);
        ended.set(id, how);
      };
      for (let now = 0; now <= 120 || hasWork(engine); now++) {
        expect(now).toBeLessThan(20_000);
        arrivals.forEach((a, id) => {
          if (a.atStep !== now) return;
          const result = submit(engine, { ...a, id });
          if (result.accepted) taken.set(id, { sequence: result.sequence, arrival: a, tokens: 0, firsts: 0 });
        });
        for (const [id, { sequence, arrival: a }] of taken) {
          if (a.abortAtStep === now && abort(engine, sequence)) end(id, 'aborted');
        }
        const { load, emitted, firsts, finished, durationMs } = step(engine);
        expect(load.prefillTokens + load.decodeSequences).toBeLessThanOrEqual(limits.maxBatchedTokens);
        expect(engine.running.length).toBeLessThanOrEqual(limits.maxSequences);
        expect(durationMs > 0).toBe(load.prefillTokens + load.decodeSequences > 0);
        for (const s of emitted) taken.get(s.request.id)!.tokens++;
        for (const s of firsts) taken.get(s.request.id)!.firsts++;
        for (const s of finished) end(s.request.id, 'finished');
        checkConservation(
          engine,
          [...taken.values()].map((t) => t.sequence),
        );
      }
      expect(engine.kv.used).toBe(0);
      expect(ended.size).toBe(taken.size);
      for (const [id, { sequence, arrival: a, tokens, firsts }] of taken) {
        expect(sequence.state).toBe(ended.get(id));
        expect(tokens).toBe(sequence.generatedTokens);
        expect(firsts).toBe(Math.min(1, tokens));
        if (ended.get(id) === 'finished') expect(tokens).toBe(a.outputTokens);
      }
    }),
    { numRuns: 100 },
  );
});

/** A step without the short way: the scheduler chooses for every sequence. */
function referenceStep(engine: Engine<Numbered>): StepResult<Numbered> {
  const { result } = engine;
  Object.assign(result.load, { prefillTokens: 0, prefillSquares: 0, decodeSequences: 0, decodeContextTokens: 0 });
  for (const list of [result.admitted, result.emitted, result.firsts, result.finished, result.preempted]) list.length = 0;
  scheduleStep(engine, 0);
  advance(engine, 0);
  const { prefillTokens, decodeSequences } = result.load;
  result.durationMs = prefillTokens + decodeSequences > 0 ? stepTimeMs(engine.config.stepTime, result.load) : 0;
  return result;
}

it('takes a short way through decodes that changes nothing', () => {
  const requests = fc.array(arrival, { maxLength: 25 });
  // Some small, for long prefills beside decodes.
  const maxBatchedTokens = fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 40, max: 256 }));
  let shortcuts = 0;
  fc.assert(
    fc.property(requests, shape, maxBatchedTokens, (arrivals, limits, budget) => {
      const observe = (stepOf: typeof step<Numbered>) => {
        const engine = createEngine<Numbered>({ ...limits, maxBatchedTokens: budget, stepTime, maxContextTokens: 400 });
        const sequences = new Map<number, Sequence<Numbered>>();
        const seen: unknown[] = [];
        for (let now = 0; now <= 120 || hasWork(engine); now++) {
          arrivals.forEach((a, id) => {
            const result = a.atStep === now ? submit(engine, { ...a, id }) : null;
            if (result?.accepted) sequences.set(id, result.sequence);
            const aborted = a.abortAtStep === now ? sequences.get(id) : undefined;
            if (aborted) abort(engine, aborted);
          });
          if (stepOf === step && sureDecodes(engine) > 0) shortcuts++;
          const { durationMs, load, ...lists } = stepOf(engine);
          const ids = Object.values(lists).map((list) => list.map((s) => s.request.id));
          const cached = engine.kv.prefixes ? [...engine.kv.prefixes.blocks.keys()] : [];
          seen.push([durationMs, { ...load }, ids, engine.kv.used, idleBlocks(engine.kv), cached]);
        }
        return seen;
      };
      expect(observe(step)).toEqual(observe(referenceStep));
    }),
    { numRuns: 100 },
  );
  expect(shortcuts).toBeGreaterThan(1000);
});
