import fc from 'fast-check';
import { expect, it } from 'vitest';
import { measuredStepTime } from '../domain/step-time.ts';
import { abort, createEngine, hasWork, step, submit } from './engine.ts';
import type { Engine, EngineRequest, Sequence } from './engine-state.ts';
import { blocksFor } from './kv-blocks.ts';

interface Numbered extends EngineRequest {
  id: number;
}
type Arrival = { atStep: number; inputTokens: number; outputTokens: number; priority: number; abortAtStep: number | null };

const arrival = fc.record({
  atStep: fc.integer({ min: 0, max: 40 }),
  inputTokens: fc.integer({ min: 1, max: 300 }),
  outputTokens: fc.integer({ min: 1, max: 120 }),
  priority: fc.integer({ min: 0, max: 3 }),
  abortAtStep: fc.option(fc.integer({ min: 0, max: 120 }), { freq: 4 }),
});

const shape = fc.record({
  kvCacheTokens: fc.integer({ min: 100, max: 1500 }),
  maxSequences: fc.integer({ min: 1, max: 12 }),
  maxBatchedTokens: fc.integer({ min: 12, max: 256 }),
  scheduling: fc.constantFrom('fcfs' as const, 'priority' as const),
});

function checkConservation(engine: Engine<Numbered>, all: Sequence<Numbered>[]): void {
  expect(engine.kv.used).toBe(all.reduce((sum, s) => sum + s.blocks, 0));
  expect(engine.kv.used).toBeLessThanOrEqual(engine.kv.total);
  for (const s of all) {
    if (s.state === 'running') expect(s.blocks).toBe(blocksFor(s.computedTokens));
    else expect(s.blocks).toBe(0);
  }
  expect(engine.running.length).toBe(all.filter((s) => s.state === 'running').length);
  expect(engine.waiting.length).toBe(all.filter((s) => s.state === 'waiting').length);
}

it('conserves blocks, keeps to its limits, and ends every request exactly once, whatever arrives and leaves', () => {
  fc.assert(
    fc.property(fc.array(arrival, { maxLength: 25 }), shape, (arrivals: Arrival[], limits) => {
      const stepTime = measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients;
      const engine = createEngine<Numbered>({ ...limits, stepTime, maxContextTokens: 400 });
      const taken = new Map<number, { sequence: Sequence<Numbered>; arrival: Arrival; tokens: number }>();
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
          if (result.accepted) taken.set(id, { sequence: result.sequence, arrival: a, tokens: 0 });
        });
        for (const [id, { sequence, arrival: a }] of taken) {
          if (a.abortAtStep === now && abort(engine, sequence)) end(id, 'aborted');
        }
        const { load, emitted, finished, durationMs } = step(engine);
        expect(load.prefillTokens + load.decodeSequences).toBeLessThanOrEqual(limits.maxBatchedTokens);
        expect(engine.running.length).toBeLessThanOrEqual(limits.maxSequences);
        expect(durationMs > 0).toBe(load.prefillTokens + load.decodeSequences > 0);
        for (const s of emitted) taken.get(s.request.id)!.tokens++;
        for (const s of finished) end(s.request.id, 'finished');
        checkConservation(
          engine,
          [...taken.values()].map((t) => t.sequence),
        );
      }
      expect(engine.kv.used).toBe(0);
      expect(ended.size).toBe(taken.size);
      for (const [id, { sequence, arrival: a, tokens }] of taken) {
        expect(sequence.state).toBe(ended.get(id));
        expect(tokens).toBe(sequence.generatedTokens);
        if (ended.get(id) === 'finished') expect(tokens).toBe(a.outputTokens);
      }
    }),
    { numRuns: 100 },
  );
});
