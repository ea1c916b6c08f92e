import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STEP_TIME } from '../../test/support/simulating.ts';
import { createEngine, hasWork, step, submit } from './engine.ts';
import { quietSteps, stepQuietly } from './quiet-steps.ts';
import { createRandom } from './random.ts';

const engineOf = (parts: { kvCacheTokens: number; maxSequences: number; prefixCaching: boolean; scheduling: 'fcfs' | 'priority' }) =>
  createEngine<{ id: number; inputTokens: number; outputTokens: number; priority: number; prefixBlocks: number[] }>({
    stepTime: STEP_TIME,
    kvCacheTokens: parts.kvCacheTokens,
    maxContextTokens: 10_000,
    maxSequences: parts.maxSequences,
    maxBatchedTokens: 256,
    scheduling: parts.scheduling,
    noise: { share: 0.05, random: createRandom('quiet') },
    ...(parts.prefixCaching ? { prefixCaching: { blockTokens: 32 } } : {}),
  });

describe('quiet steps', () => {
  const request = fc.record({
    inputTokens: fc.integer({ min: 1, max: 700 }),
    outputTokens: fc.integer({ min: 1, max: 200 }),
    priority: fc.integer({ min: 0, max: 1 }),
    prefixBlocks: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
    atStep: fc.integer({ min: 0, max: 60 }),
  });
  const config = fc.record({
    kvCacheTokens: fc.integer({ min: 1000, max: 4000 }),
    maxSequences: fc.integer({ min: 1, max: 6 }),
    prefixCaching: fc.boolean(),
    scheduling: fc.constantFrom('fcfs' as const, 'priority' as const),
  });

  it('leave an engine as so many single steps would, at the same time', () => {
    let quiet = 0;
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 10 }),
        config,
        fc.integer({ min: 1, max: 400 }),
        (requests, parts, patienceMs) => {
          const [single, several] = [engineOf(parts), engineOf(parts)];
          const ends = { steps: 0, endMs: 0 };
          let nowMs = 0;
          let steps = 0;
          let next = 0;
          const byStep = requests.map((r, id) => ({ ...r, id })).sort((a, b) => a.atStep - b.atStep);
          while (next < byStep.length || hasWork(several)) {
            for (; next < byStep.length && (byStep[next]!.atStep <= steps || !hasWork(several)); next++) {
              for (const engine of [single, several]) submit(engine, byStep[next]!);
            }
            const most = quietSteps(several);
            if (most > 0) {
              stepQuietly(several, most, nowMs, nowMs + patienceMs, ends);
              quiet += ends.steps;
            } else {
              step(several);
              Object.assign(ends, { steps: 1, endMs: nowMs + several.result.durationMs });
            }
            for (let i = 0; i < ends.steps; i++) {
              step(single);
              nowMs += single.result.durationMs;
            }
            steps += ends.steps;
            expect(ends.endMs).toBe(nowMs);
            expect(several).toEqual({ ...single, config: several.config, noise: several.noise });
          }
          expect(hasWork(single)).toBe(false);
        },
      ),
      { numRuns: 100 },
    );
    expect(quiet).toBeGreaterThan(1000);
  });
});
