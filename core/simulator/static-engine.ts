/**
 * Static batching, the setting of the UELLM paper (HF-style engines, Triton python models): a batch is taken when the engine is idle,
 * prefilled as a whole, and decoded in lockstep until its longest member has ended. Members are padded to the longest prompt, and
 * those that end early keep their place. Nothing can happen to a batch on its way, so that all of it is known when it is submitted.
 */
import type { PaddedStepTime } from '../domain/step-time.ts';
import type { EngineRequest } from './engine-state.ts';
import { createStepNoise, type StepNoise } from './step-noise.ts';

export interface StaticEngineConfig {
  stepTime: PaddedStepTime;
  maxBatch: number;
  kvCacheTokens: number;
  /** Whether a member's answer waits for the whole batch, as in the paper (and where absent), or streams. */
  answers?: 'at-batch-end' | 'as-they-end';
  /** Steps take exactly their predicted time where absent. */
  noise?: StepNoise;
}

export interface StaticEngine {
  readonly config: StaticEngineConfig;
  readonly noise: (() => number) | null;
  /** The end of its last batch, on the caller's clock. */
  idleAtMs: number;
}

/** Times are on the caller's clock: what its client sees, and not when the engine computed it. */
export interface BatchMember<R extends EngineRequest> {
  readonly request: R;
  firstTokenAtMs: number;
  endsAtMs: number;
}

export interface Batch<R extends EngineRequest> {
  readonly startedAtMs: number;
  /** The engine is busy until then. */
  readonly endsAtMs: number;
  /** In the order of the requests. */
  readonly members: BatchMember<R>[];
}

/** Why a batch was not taken. */
export type BatchRejection =
  | { reason: 'busy'; idleAtMs: number }
  | { reason: 'batch-size'; requests: number; maxBatch: number }
  | { reason: 'kv-cache-too-small'; neededTokens: number; limitTokens: number };

export type SubmitBatchResult<R extends EngineRequest> =
  | { accepted: true; batch: Batch<R> }
  | { accepted: false; rejection: BatchRejection };

export function createStaticEngine(config: StaticEngineConfig): StaticEngine {
  return { config, noise: config.noise ? createStepNoise(config.noise) : null, idleAtMs: Number.NEGATIVE_INFINITY };
}

/** KV cache that a batch takes: the longest input and the longest output, for every member. */
export function paddedTokens(requests: readonly EngineRequest[]): number {
  return requests.length * (longestInput(requests) + longestOutput(requests));
}

/** Runs a batch from `nowMs` on, or says why it is not taken. Token counts are whole numbers of at least 1. */
export function submitBatch<R extends EngineRequest>(engine: StaticEngine, requests: readonly R[], nowMs: number): SubmitBatchResult<R> {
  const rejection = rejectionOf(engine, requests, nowMs);
  if (rejection) return { accepted: false, rejection };
  const endOfStep = endsOfSteps(engine, requests, nowMs);
  const endsAtMs = endOfStep[endOfStep.length - 1] as number;
  const streams = engine.config.answers === 'as-they-end';
  const members = requests.map((request) => ({
    request,
    firstTokenAtMs: streams ? (endOfStep[0] as number) : endsAtMs,
    endsAtMs: streams ? (endOfStep[request.outputTokens - 1] as number) : endsAtMs,
  }));
  engine.idleAtMs = endsAtMs;
  return { accepted: true, batch: { startedAtMs: nowMs, endsAtMs, members } };
}

function rejectionOf({ config, idleAtMs }: StaticEngine, requests: readonly EngineRequest[], nowMs: number): BatchRejection | null {
  const { maxBatch, kvCacheTokens } = config;
  if (nowMs < idleAtMs) return { reason: 'busy', idleAtMs };
  if (requests.length === 0 || requests.length > maxBatch) return { reason: 'batch-size', requests: requests.length, maxBatch };
  const neededTokens = paddedTokens(requests);
  if (neededTokens > kvCacheTokens) return { reason: 'kv-cache-too-small', neededTokens, limitTokens: kvCacheTokens };
  return null;
}

/** When each step ends. The prefill yields the first token of all, every step after it one more. */
function endsOfSteps({ config, noise }: StaticEngine, requests: readonly EngineRequest[], startMs: number): number[] {
  const { stepTime } = config;
  const inputTokens = longestInput(requests);
  const steps = longestOutput(requests);
  const ends: number[] = [];
  let nowMs = startMs;
  for (let i = 0; i < steps; i++) {
    const predicted = i === 0 ? stepTime.prefillMs(requests.length, inputTokens) : stepTime.decodeMs(requests.length, inputTokens + i);
    nowMs += predicted * (noise ? noise() : 1);
    ends.push(nowMs);
  }
  return ends;
}

function longestInput(requests: readonly EngineRequest[]): number {
  return requests.reduce((most, { inputTokens }) => Math.max(most, inputTokens), 0);
}

function longestOutput(requests: readonly EngineRequest[]): number {
  return requests.reduce((most, { outputTokens }) => Math.max(most, outputTokens), 0);
}
