import { expect, it } from 'vitest';
import { createEngine, submit } from '../../core/simulator/engine.ts';
import type { EngineRequest } from '../../core/simulator/engine-state.ts';
import { createPace } from './pace.ts';

/** Every step takes 3.7 ms. */
const config = {
  stepTime: { d0: 3.7, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 },
  kvCacheTokens: 10_000,
  maxContextTokens: 10_000,
  maxSequences: 8,
  maxBatchedTokens: 2048,
  scheduling: 'fcfs' as const,
};

function pace(outputTokens: number[], slowdown: number): Promise<{ ms: number; steps: number }> {
  return new Promise((resolve) => {
    const engine = createEngine<EngineRequest>(config);
    let left = outputTokens.length;
    let steps = 0;
    const wake = createPace(engine, {
      slowdown: () => slowdown,
      onStep({ finished }) {
        steps++;
        left -= finished.length;
        if (left === 0) resolve({ ms: performance.now() - startedAtMs, steps });
      },
    });
    const startedAtMs = performance.now();
    for (const tokens of outputTokens) {
      submit(engine, { inputTokens: 10, outputTokens: tokens });
      wake();
    }
  });
}

it('keeps the mean rate of steps that are no whole milliseconds', async () => {
  const { ms, steps } = await pace([60], 1);
  expect(steps).toBe(60);
  // Never early by more than a timer's grain; how late depends on the machine.
  expect(ms).toBeGreaterThan(60 * 3.7 - 3);
  expect(ms).toBeLessThan(3 * 60 * 3.7);
});

it('takes into one step what arrives together', async () => {
  expect((await pace([20, 20, 20], 1)).steps).toBe(20);
});

it('is slowed down by a fault', async () => {
  expect((await pace([20], 4)).ms).toBeGreaterThan(20 * 4 * 3.7 - 3);
});
