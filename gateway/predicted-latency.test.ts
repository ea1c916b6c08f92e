/** What the gateway predicts of a replica, against the engine model itself, step by step: no clock, no network. */
import { describe, expect, it } from 'vitest';
import { measuredStepTime } from '../core/domain/step-time.ts';
import { predictLatency } from '../core/scheduler/latency.ts';
import { createEngine, step, submit } from '../core/simulator/engine.ts';
import type { EngineRequest, Sequence } from '../core/simulator/engine-state.ts';
import { routedReplica } from '../test/support/gateway.ts';
import { queuedRequest } from '../test/support/scheduling.ts';
import { LiveReplica, Reservation } from './replica.ts';
import { Upstream } from './upstream.ts';

interface Load {
  accelerator: string;
  /** Streams that have their first token already. */
  decoding: number;
  /** Prompts released before ours and not begun. */
  prompts: number[];
  inputTokens: number;
}

/** Puts the load on a simulated engine and on our view of it, then one request more: what comes, and what was predicted. */
function compare({ accelerator, decoding, prompts, inputTokens }: Load) {
  const stepTime = measuredStepTime('llama-3.1-8b', accelerator, 1)!.coefficients;
  const limits = {
    kvCacheTokens: 400_000,
    maxContextTokens: 131_072,
    maxSequences: 256,
    maxBatchedTokens: 2048,
    scheduling: 'fcfs' as const,
  };
  const engine = createEngine<EngineRequest>({ stepTime, ...limits });
  const row = routedReplica({ replicaId: 'r', endpoint: 'http://127.0.0.1:1', stepTime, maxInFlight: 1000 });
  const replica = new LiveReplica(row, new Upstream(row.endpoint, { connectTimeoutMs: 1, idleTimeoutMs: 1 }));
  const send = (tokens: number): { sequence: Sequence<EngineRequest>; reservation: Reservation } => {
    const result = submit(engine, { inputTokens: tokens, outputTokens: 400 });
    if (!result.accepted) throw new Error(result.rejection.reason);
    const request = queuedRequest({ id: `q${replica.started}`, inputTokens: tokens, predictedOutput: { p50: 400, p90: 400 } });
    return { sequence: result.sequence, reservation: new Reservation(replica, request, () => undefined) };
  };
  const running = Array.from({ length: decoding }, () => send(800));
  while (running.some(({ sequence }) => sequence.generatedTokens === 0)) step(engine);
  for (const { sequence, reservation } of running) reservation.produced(sequence.generatedTokens);
  for (const tokens of prompts) send(tokens);
  const predicted = predictLatency(replica, queuedRequest({ id: 'ours', inputTokens, predictedOutput: { p50: 400, p90: 400 } }));
  const { sequence } = send(inputTokens);
  let ttftMs = 0;
  while (sequence.generatedTokens === 0) ttftMs += step(engine).durationMs;
  return { predicted, ttftMs, tpotMs: step(engine).durationMs };
}

describe('predicted latency', () => {
  it.each<Load>([
    { accelerator: 'H100-SXM', decoding: 0, prompts: [], inputTokens: 500 },
    { accelerator: 'H100-SXM', decoding: 0, prompts: [], inputTokens: 10_000 },
    { accelerator: 'H100-SXM', decoding: 64, prompts: [], inputTokens: 1155 },
    { accelerator: 'A100-80G-SXM', decoding: 32, prompts: [1000, 4000, 8000], inputTokens: 1155 },
    { accelerator: 'L40S', decoding: 100, prompts: [2000], inputTokens: 300 },
    { accelerator: 'L40S', decoding: 8, prompts: Array(20).fill(1155), inputTokens: 1155 },
  ])('on %o is within a quarter, or a step, of what the engine does', (load) => {
    const { predicted, ttftMs, tpotMs } = compare(load);
    expect(Math.abs(predicted.ttftMs - ttftMs)).toBeLessThan(Math.max(ttftMs * 0.25, tpotMs));
    expect(predicted.tpotMs / tpotMs).toBeGreaterThan(0.8);
    expect(predicted.tpotMs / tpotMs).toBeLessThan(1.25);
  });
});
