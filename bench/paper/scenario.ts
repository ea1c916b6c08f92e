/**
 * The setting of the UELLM paper (ICSOC 2024) as its released code and logs have it: requests that are all there at the start, static
 * batches of at most ten, a step of 27.6 ms whatever the batch, SLOs on the end-to-end latency by a request's position in the list.
 */
import { createRandom } from '../../core/simulator/random.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import { SimulatedRequest } from '../../core/simulator/simulated-request.ts';
import type { Answer } from './answers.ts';
import { shuffled } from './predictions.ts';

export const REQUESTS = [100, 200, 300] as const;
export const MAX_BATCH = 10;
/** Source: the paper's logs, ChatGLM2-6B on one of its GPUs, 26.1 to 27.6 ms a token. */
export const STEP_MS = 27.6;

/** Seconds, drawn evenly between the two; from the first position on. Source: the paper's data. */
const SLO_SECONDS = [
  { from: 0, between: [220, 250] },
  { from: 20, between: [180, 220] },
  { from: 40, between: [150, 180] },
  { from: 60, between: [100, 120] },
  { from: 80, between: [90, 100] },
  { from: 100, between: [150, 300] },
] as const;

/** Never reached here: 24 GB beside a 6B model's weights hold far more than ten such answers. */
const KV_CACHE_TOKENS = 200_000;
const STEP_TIME = { d0: STEP_MS, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 };

export interface PaperRequest {
  /** Of the prompt in the data. */
  prompt: number;
  request: SimulatedRequest;
}

/** `count` different prompts in an order drawn by the seed; fewer requests of a seed are the first of more. */
export function paperRequests(answers: readonly Answer[], count: number, seed: number): PaperRequest[] {
  const random = createRandom(`${seed}:slo`);
  const order = shuffled(answers.length, `${seed}:prompts`);
  return Array.from({ length: count }, (_, position) => {
    const [least, most] = SLO_SECONDS.findLast(({ from }) => from <= position)!.between;
    const e2eMs = 1000 * (least + random() * (most - least));
    const prompt = order[position % order.length]!;
    const request = new SimulatedRequest({
      id: String(position).padStart(3, '0'),
      class: 'standard',
      priority: 0,
      arrivalMs: 0,
      targets: { e2eMs, attainment: 0.99 },
      queue: { maxWaitMs: e2eMs, onHopeless: 'demote' },
      ...answers[prompt]!,
      prefix: null,
    });
    return { prompt, request };
  });
}

export function staticEngines(count: number): ReplicaSpec[] {
  return engines(count, MAX_BATCH).map((spec) => ({ ...spec, static: { maxBatch: MAX_BATCH, answers: 'at-batch-end' } }));
}

export function continuousEngines(count: number, slots: number): ReplicaSpec[] {
  return engines(count, slots);
}

function engines(count: number, slots: number): ReplicaSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `engine-${i}`,
    stepTime: STEP_TIME,
    kvCacheTokens: KV_CACHE_TOKENS,
    maxContextTokens: 32_768,
    maxSequences: slots,
    maxBatchedTokens: 2048,
    scheduling: 'fcfs',
    prefixBlockTokens: null,
    usdPerHour: null,
  }));
}
