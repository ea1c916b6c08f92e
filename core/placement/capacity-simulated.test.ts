/** The closed form against the step function of the simulator: one replica, Poisson arrivals, lengths of the Azure trace. */
import { expect, it } from 'vitest';
import { acceleratorKind } from '../domain/accelerators.ts';
import { kvCacheTokens } from '../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../domain/model-spec.ts';
import { type SloTargets, violatedTargets } from '../domain/slo-policy.ts';
import { priorStepTime } from '../domain/step-time.ts';
import { createEngine, hasWork, step, submit } from '../simulator/engine.ts';
import { createRandom, lognormal } from '../simulator/random.ts';
import { INPUT_VARIATION, OUTPUT_VARIATION, type ReplicaSpeed, replicaCapacity } from './capacity.ts';

const MEANS = { inputTokens: 1155, outputTokens: 211 };
const REQUESTS = 3000;
const WARM_UP = 100;

const chat = { ttftMs: 500, tpotMs: 50, attainment: 0.9 };
const loose = { ttftMs: 8000, tpotMs: 100, attainment: 0.9 };

it.each([
  ['llama-3.1-8b', 'H100-SXM', 1, chat],
  ['llama-3.1-8b', 'A100-80G-SXM', 1, chat],
  ['llama-3.1-8b', 'A100-80G-SXM', 2, { ...chat, attainment: 0.95 }],
  ['llama-3.1-8b', 'L40S', 1, chat],
  ['llama-3.1-8b', 'H100-SXM', 2, { ...chat, attainment: 0.99 }],
  ['llama-3.1-70b', 'H100-SXM', 4, { ttftMs: 2000, tpotMs: 60, attainment: 0.9 }],
  ['llama-3.1-70b', 'H100-SXM', 2, loose],
  ['llama-3.1-70b', 'A100-80G-SXM', 4, loose],
] as const)('%s on %s x%i is within 15 %% of simulation', (model, kind, tensorParallel, targets) => {
  const speed = speedOf(model, kind, tensorParallel);
  const { requestsPerSecond } = replicaCapacity(speed, MEANS, targets);
  expect(attained(speed, requestsPerSecond / 1.15, targets)).toBeGreaterThanOrEqual(targets.attainment);
  expect(attained(speed, requestsPerSecond * 1.15, targets)).toBeLessThan(targets.attainment);
});

function speedOf(model: string, kind: string, tensorParallel: number): ReplicaSpeed {
  const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
  const accelerator = acceleratorKind(kind);
  const stepTime = priorStepTime(shape, accelerator, tensorParallel).coefficients;
  return { stepTime, kvCacheTokens: kvCacheTokens(shape, accelerator, tensorParallel) };
}

/** Share of the requests that met their targets at this rate. */
function attained({ stepTime, kvCacheTokens }: ReplicaSpeed, requestsPerSecond: number, targets: SloTargets): number {
  const random = createRandom('capacity');
  const engine = createEngine<{ inputTokens: number; outputTokens: number; arrivalMs: number; firstMs: number; counts: boolean }>({
    ...{ stepTime, kvCacheTokens, maxContextTokens: 131_072, maxSequences: 256, maxBatchedTokens: 2048, scheduling: 'fcfs' },
    noise: { share: 0.05, random: createRandom('noise') },
  });
  let nowMs = 0;
  let nextMs = 0;
  let made = 0;
  let met = 0;
  while (made < REQUESTS || hasWork(engine)) {
    if (!hasWork(engine)) nowMs = nextMs;
    for (; made < REQUESTS && nextMs <= nowMs; made++) {
      const inputTokens = length(random, MEANS.inputTokens, INPUT_VARIATION);
      const outputTokens = length(random, MEANS.outputTokens, OUTPUT_VARIATION);
      submit(engine, { inputTokens, outputTokens, arrivalMs: nextMs, firstMs: 0, counts: made >= WARM_UP });
      nextMs -= (Math.log(1 - random()) / requestsPerSecond) * 1000;
    }
    const { durationMs, emitted, finished } = step(engine);
    nowMs += durationMs;
    for (const { request, generatedTokens } of emitted) if (generatedTokens === 1) request.firstMs = nowMs;
    for (const { request } of finished) {
      const { arrivalMs, firstMs, outputTokens, counts } = request;
      const tpot = outputTokens > 1 ? { tpotMs: (nowMs - firstMs) / (outputTokens - 1) } : {};
      const measured = { ttftMs: firstMs - arrivalMs, e2eMs: nowMs - arrivalMs, ...tpot };
      if (counts && violatedTargets(targets, measured).length === 0) met++;
    }
  }
  return met / (REQUESTS - WARM_UP);
}

function length(random: () => number, mean: number, variation: number): number {
  const spread = Math.log(1 + variation ** 2);
  return Math.max(1, Math.round(lognormal(random, mean * Math.exp(-spread / 2), Math.sqrt(spread))));
}
