/** What the gateway predicts of a replica, against the engine model itself, step by step: no real clock, no network. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { predictLatency } from '../../core/scheduler/latency.ts';
import { createEngine, step, submit } from '../../core/simulator/engine.ts';
import type { EngineRequest, Sequence } from '../../core/simulator/engine-state.ts';
import { routedReplica } from '../../test/support/gateway.ts';
import { ENGINE_LIMITS, LATENCY_LOADS, type LatencyLoad } from '../../test/support/latency-loads.ts';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { LiveReplica, Reservation } from '../replica.ts';
import { Upstream } from '../upstream/upstream.ts';

const OUTPUT_TOKENS = 2000;
const OUTPUT = { p50: OUTPUT_TOKENS, p90: OUTPUT_TOKENS };

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'], now: 0 }));
afterEach(() => vi.useRealTimers());

/** Puts the load on a simulated engine and on our view of it, then one request more: what comes, and what was predicted. */
function compare({ accelerator, decoding, ahead, inputTokens }: LatencyLoad) {
  const stepTime = measuredStepTime('llama-3.1-8b', accelerator, 1)!.coefficients;
  const engine = createEngine<EngineRequest>({ stepTime, ...ENGINE_LIMITS });
  const row = routedReplica({ replicaId: 'r', endpoint: 'http://127.0.0.1:1', stepTime, maxInFlight: 1000 });
  const replica = new LiveReplica(row, new Upstream(row.endpoint, { connectTimeoutMs: 1, idleTimeoutMs: 1 }));
  const open = new Map<Sequence<EngineRequest>, Reservation>();
  const send = (tokens: number): Sequence<EngineRequest> => {
    const result = submit(engine, { inputTokens: tokens, outputTokens: OUTPUT_TOKENS });
    if (!result.accepted) throw new Error(result.rejection.reason);
    const request = queuedRequest({ id: `q${replica.load.started}`, inputTokens: tokens, predictedOutput: OUTPUT });
    open.set(result.sequence, new Reservation(replica, request, () => undefined));
    return result.sequence;
  };
  /** One step of the engine, told to the gateway when it ends. */
  const run = (): number => {
    const { durationMs, emitted } = step(engine);
    vi.advanceTimersByTime(durationMs);
    for (const sequence of emitted) open.get(sequence)!.produced(1);
    return durationMs;
  };
  const running = Array.from({ length: decoding }, () => send(800));
  while (running.some(({ generatedTokens }) => generatedTokens === 0)) run();
  // Their prompts have been over for so long that they say nothing of how the engine shares its time.
  while (replica.load.prefillShare(performance.now()) > 0.02) run();
  for (const tokens of ahead) send(tokens);
  const ours = queuedRequest({ id: 'ours', inputTokens, predictedOutput: OUTPUT });
  const predicted = predictLatency(replica, ours, performance.now());
  const sequence = send(inputTokens);
  let ttftMs = 0;
  while (sequence.generatedTokens === 0) ttftMs += run();
  return { predicted, ttftMs, tpotMs: run(), scale: replica.load.stepTimeScale };
}

describe('predicted latency', () => {
  it.each(LATENCY_LOADS)('on %o is within a quarter, or a step, of what the engine does', (load) => {
    const { predicted, ttftMs, tpotMs, scale } = compare(load);
    expect(Math.abs(predicted.ttftMs - ttftMs)).toBeLessThan(Math.max(ttftMs * 0.25, tpotMs));
    // The model is the engine's own: nothing to correct.
    expect(Math.abs(scale - 1)).toBeLessThan(0.1);
    expect(predicted.tpotMs / tpotMs).toBeGreaterThan(0.8);
    expect(predicted.tpotMs / tpotMs).toBeLessThan(1.25);
  });
});
