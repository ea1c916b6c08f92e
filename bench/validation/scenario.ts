/**
 * Chat requests for two slow engines, as the discrete-event simulator takes them and as a client sends them in real time. Steps are long,
 * so that what HTTP and timers add to them is little, and answers short, so that a run ends soon after its last arrival.
 */
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import { predictOutput } from '../../core/profiler/predict.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import type { OutputPredictor } from '../../core/simulator/predictors.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import { SimulatedRequest } from '../../core/simulator/simulated-request.ts';
import { chatWorkload } from '../../core/simulator/workload.ts';

export const MODEL = 'llama-3.1-8b';
export const DEPLOYMENT = 'chat';
export const ENGINES = ['a', 'b'] as const;
export const KV_CACHE_TOKENS = 200_000;
export const MAX_SEQUENCES = 256;
export const MAX_CONTEXT_TOKENS = 32_768;
/** What clients set: without it, completions end after 16 tokens, and are predicted to. */
export const MAX_OUTPUT_TOKENS = 4096;
export const STEP_NOISE = 0.05;
/** Of a large model on old accelerators: 32 sequences decode in some 50 ms. */
export const STEP_TIME: StepTimeCoefficients = { d0: 40, d1: 0.1, d2: 1e-4, ra: 0.05, rc: 0.04, rb: 0, o: 1 };
export const TARGETS = { ttftMs: 1000, tpotMs: 90, attainment: 0.99 };
export const QUEUE = { maxWaitMs: 30_000, onHopeless: 'demote' as const };
/** How often a gateway reads its engines' gauges. */
export const GAUGE_AGE_MS = 250;
/**
 * From the end of a step to the gateway, ms. However short: an engine has begun its next step by then, so that a request which is released
 * for the news waits for a step more than one that is in time for it.
 */
export const STREAM_DELAY_MS = 2;

/** Of the trace's shape: a third of its answers' length. */
const ANSWER_SHARE = 1 / 3;

export interface ValidationRequest {
  arrivalMs: number;
  inputTokens: number;
  outputTokens: number;
}

export interface Load {
  requestsPerSecond: number;
  seconds: number;
  seed: string;
}

/** By arrival. */
export function requestsOf({ requestsPerSecond, seconds, seed }: Load): ValidationRequest[] {
  const requests: ValidationRequest[] = [];
  for (const { arrivalMs, inputTokens, outputTokens } of chatWorkload({ seed, requestsPerSecond })) {
    if (arrivalMs > seconds * 1000) break;
    requests.push({ arrivalMs, inputTokens, outputTokens: Math.max(2, Math.round(outputTokens * ANSWER_SHARE)) });
  }
  return requests;
}

export function simulatedRequestOf({ arrivalMs, inputTokens, outputTokens }: ValidationRequest, index: number): SimulatedRequest {
  return new SimulatedRequest({
    id: String(index).padStart(6, '0'),
    class: 'standard',
    priority: 0,
    arrivalMs,
    targets: TARGETS,
    queue: QUEUE,
    inputTokens,
    outputTokens,
    prefix: null,
  });
}

export function replicaSpecOf(id: string): ReplicaSpec {
  return {
    id,
    stepTime: STEP_TIME,
    kvCacheTokens: KV_CACHE_TOKENS,
    maxContextTokens: MAX_CONTEXT_TOKENS,
    maxSequences: MAX_SEQUENCES,
    maxBatchedTokens: 2048,
    scheduling: 'fcfs',
    prefixBlockTokens: null,
    usdPerHour: null,
  };
}

/** What a gateway without a control plane predicts: published constants. */
export const COLD_PREDICTOR: OutputPredictor = {
  predict: ({ class: name, inputTokens }) =>
    predictOutput(COLD_START_SNAPSHOT, {
      model: MODEL,
      class: name,
      tenant: 'default',
      inputTokens,
      maxTokens: MAX_OUTPUT_TOKENS,
      streamed: true,
    }),
  observe: () => undefined,
};

/** For the process of a simulated engine. */
export function engineSpecOf(replicaId: string) {
  return {
    replicaId,
    deployment: DEPLOYMENT,
    model: MODEL,
    source: 'hf://meta-llama/Llama-3.1-8B-Instruct',
    shape: { weightsBytes: 16e9, maxContextTokens: MAX_CONTEXT_TOKENS },
    acceleratorKind: 'H100-SXM',
    tensorParallel: 1,
    stepTime: STEP_TIME,
    kvCacheTokens: KV_CACHE_TOKENS,
    maxSequences: MAX_SEQUENCES,
    args: { 'simulated-load-seconds': 0, 'shutdown-timeout': 5 },
  };
}
