/** The closed form against the simulated engine: one replica of each shape, a little below and a little above its capacity. */
import { expect, it } from 'vitest';
import { acceleratorKind } from '../../domain/accelerators.ts';
import { kvCacheTokens } from '../../domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../domain/model-spec.ts';
import { priorStepTime } from '../../domain/step-time.ts';
import { checkShape } from '../../simulator/simulated-capacity.ts';
import { replicaCapacity } from './capacity.ts';

const chat = { inputTokens: 1155, outputTokens: 211 };
const code = { inputTokens: 2048, outputTokens: 28 };
const reasoning = { inputTokens: 600, outputTokens: 1500 };
const summarising = { inputTokens: 8000, outputTokens: 250 };
const long = { inputTokens: 12_000, outputTokens: 340 };
const short = { inputTokens: 128, outputTokens: 128 };

const interactive = { ttftMs: 500, tpotMs: 50, attainment: 0.9 };
const standard = { ttftMs: 2000, tpotMs: 100, attainment: 0.9 };
const strict = { ttftMs: 1000, tpotMs: 40, attainment: 0.95 };
const batch = { e2eMs: 60_000, attainment: 0.9 };

it.each([
  ['llama-3.1-8b', 'H100-SXM', 1, chat, interactive],
  ['llama-3.1-8b', 'A100-80G-SXM', 1, chat, strict],
  ['llama-3.1-8b', 'L40S', 1, chat, standard],
  ['llama-3.1-8b', 'L40S', 1, short, batch],
  ['llama-3.1-8b', 'H100-SXM', 2, code, interactive],
  ['llama-3.1-8b', 'A100-80G-SXM', 2, code, batch],
  ['llama-3.1-8b', 'B200-SXM', 2, code, { ...strict, attainment: 0.99 }],
  ['llama-3.1-8b', 'H100-SXM', 2, summarising, standard],
  ['llama-3.1-8b', 'H100-SXM', 1, long, batch],
  ['llama-3.1-70b', 'H100-SXM', 4, chat, standard],
  ['llama-3.1-70b', 'H100-SXM', 2, chat, { ttftMs: 8000, tpotMs: 100, attainment: 0.9 }],
  ['llama-3.1-70b', 'A100-80G-SXM', 4, short, interactive],
  ['llama-3.1-70b', 'B200-SXM', 4, reasoning, batch],
  ['qwen3-32b', 'B200-SXM', 4, long, standard],
  ['qwen3-32b', 'L40S', 4, short, standard],
  ['qwen3-32b', 'RTXPRO6000-SE', 1, summarising, batch],
] as const)('%s on %s x%i within 15 per cent: %j, %j', (model, kind, tensorParallel, lengths, targets) => {
  const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
  const accelerator = acceleratorKind(kind);
  const speed = {
    stepTime: priorStepTime(shape, accelerator, tensorParallel).coefficients,
    kvCacheTokens: kvCacheTokens(shape, accelerator, tensorParallel),
  };
  const { requestsPerSecond, meetsSlo } = replicaCapacity(speed, lengths, targets);
  const attained = (rate: number) => checkShape(speed, lengths, targets, rate, { seed: 1, requests: 4000 }).attainment;
  expect(meetsSlo).toBe(true);
  expect(attained(requestsPerSecond / 1.15)).toBeGreaterThanOrEqual(targets.attainment);
  expect(attained(requestsPerSecond * 1.15)).toBeLessThan(targets.attainment);
});
