import { describe, expect, it } from 'vitest';
import { ENGINE_LIMITS, LATENCY_LOADS, type LatencyLoad } from '../../test/support/latency-loads.ts';
import { queuedRequest, replicaView, runningRequests } from '../../test/support/scheduling.ts';
import { decodeStepMs, measuredStepTime, prefillMs } from '../domain/step-time.ts';
import { createEngine, step, submit } from '../simulator/engine.ts';
import type { EngineRequest } from '../simulator/engine-state.ts';
import { decodingSequences, predictLatency, predictTtftMs } from './latency.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

const request = queuedRequest({ id: 'x', inputTokens: 5000 });
const predict = (replica: ReplicaView, r = request) => predictLatency(replica, r, 0);
const prompts = (lengths: number[]) => lengths.map((inputTokens, i) => queuedRequest({ id: `p${i}`, inputTokens }));

describe('predicted latency', () => {
  it.each([1, 500, 2048, 2049, 5000, 40_960])('is the closed form on an idle engine, for a prompt of %i', (inputTokens) => {
    const idle = replicaView({ id: 'a' });
    const predicted = predict(idle, queuedRequest({ id: 'x', inputTokens }));
    expect(predicted.ttftMs).toBeCloseTo(prefillMs(idle.stepTime, inputTokens), 6);
    expect(predicted.tpotMs).toBeCloseTo(decodeStepMs(idle.stepTime, 1, inputTokens + 50), 6);
  });
  it('grows with the prompts ahead, with the batch and with other gateways’ requests', () => {
    const idle = predict(replicaView({ id: 'a' }));
    const behind = predict(replicaView({ id: 'a', open: prompts([5000, 5000, 5000, 5000]) }));
    const beside = predict(replicaView({ id: 'a', decoding: runningRequests(4, { inputTokens: 10_000 }) }));
    const others = predict(replicaView({ id: 'a', engine: { running: 100, waiting: 10, kvCacheUsage: 0.5 } }));
    expect(behind.ttftMs).toBeGreaterThan(idle.ttftMs * 3);
    expect(beside.tpotMs).toBeGreaterThan(idle.tpotMs);
    expect(beside.ttftMs).toBeGreaterThan(idle.ttftMs);
    expect(others.ttftMs).toBeGreaterThan(idle.ttftMs * 5);
  });
  it('does not count our own requests again where the engine reports them', () => {
    const ours = { decoding: runningRequests(4), open: prompts([2000]) };
    const alone = predict(replicaView({ id: 'a', ...ours }));
    expect(predict(replicaView({ id: 'a', ...ours, engine: { running: 4, waiting: 1, kvCacheUsage: 0 } })).ttftMs).toBe(alone.ttftMs);
    expect(decodingSequences(replicaView({ id: 'a', ...ours, engine: { running: 9, waiting: 0, kvCacheUsage: 0 } }))).toBe(8);
    expect(decodingSequences(replicaView({ id: 'a', ...ours, engine: { running: 0, waiting: 0, kvCacheUsage: 0 } }))).toBe(4);
  });
  it('pays for attention by prompt, not by backlog', () => {
    const ahead = (lengths: number[]) => predict(replicaView({ id: 'a', open: prompts(lengths) })).ttftMs;
    expect(ahead([40_960])).toBeGreaterThan(ahead(Array(20).fill(2048)) * 1.2);
  });
  it('needs no prefill of what is cached', () => {
    const prefix = { blocks: ['a', 'b', 'c', 'd'], blockTokens: 512 };
    const replica = replicaView({ id: 'a' });
    const cold = predict(replica, queuedRequest({ id: 'x', inputTokens: 2500, prefix })).ttftMs;
    replica.load.prefixes.add(prefix);
    const warm = predict(replica, queuedRequest({ id: 'x', inputTokens: 2500, prefix })).ttftMs;
    expect(warm).toBeLessThan(cold / 2);
    expect(warm).toBeGreaterThan(prefillMs(replica.stepTime, 2500 - 2048));
  });
  it('is corrected by what steps have taken', () => {
    const replica = replicaView({ id: 'a' });
    const before = predict(replica);
    Object.defineProperty(replica.load, 'stepTimeScale', { value: 1.5 });
    const after = predict(replica);
    expect(after.ttftMs).toBeCloseTo(before.ttftMs * 1.5, 9);
    expect(after.tpotMs).toBeCloseTo(before.tpotMs * 1.5, 9);
  });
  it('leaves between tokens the time that prompts take', () => {
    const replica = replicaView({ id: 'a' });
    const before = predict(replica).tpotMs;
    Object.defineProperty(replica.load, 'prefillShare', { value: () => 0.25 });
    expect(predict(replica).tpotMs).toBeCloseTo(before / 0.75, 9);
  });
  it.each([
    ['a backlog', replicaView({ id: 'a', open: prompts([1e9]) }), 0],
    ['a batch beyond the step’s tokens', replicaView({ id: 'a', engine: { running: 5000, waiting: 5000, kvCacheUsage: 1 } }), 1e6],
    ['an empty prompt', replicaView({ id: 'a' }), 0],
  ])('stays finite for absurd lengths: %s', (_, replica, inputTokens) => {
    const predicted = predict(replica, queuedRequest({ id: 'x', inputTokens }));
    expect(Number.isFinite(predicted.ttftMs)).toBe(true);
    expect(Number.isFinite(predicted.tpotMs)).toBe(true);
  });
});

/** Puts the load on a simulated engine and on our view of it, then one request more: what comes, and what was predicted. */
function compare({ accelerator, decoding, ahead, inputTokens }: LatencyLoad) {
  const { coefficients } = measuredStepTime('llama-3.1-8b', accelerator, 1)!;
  const engine = createEngine<EngineRequest & { open: QueuedRequest }>({ stepTime: coefficients, ...ENGINE_LIMITS });
  // Its engine has done no step yet: the model is all there is to believe.
  const replica = replicaView({ id: 'a', stepTime: coefficients, maxInFlight: 1000 });
  Object.defineProperties(replica.load, { stepTimeScale: { value: 1 }, prefillShare: { value: () => 0 } });
  const requestOf = (tokens: number) => queuedRequest({ id: 'q', inputTokens: tokens, predictedOutput: { p50: 400, p90: 400 } });
  const send = (tokens: number) => {
    const open = requestOf(tokens);
    const submitted = submit(engine, { inputTokens: tokens, outputTokens: 400, open });
    if (!submitted.accepted) throw new Error(submitted.rejection.reason);
    replica.load.open(open, 0, coefficients);
    return submitted.sequence;
  };
  const running = Array.from({ length: decoding }, () => send(800));
  while (running.some(({ generatedTokens }) => generatedTokens === 0)) {
    const { emitted, firsts } = step(engine);
    replica.load.produced(emitted.length);
    for (const first of firsts) replica.load.firstToken(first.request.open, 0, coefficients);
  }
  for (const tokens of ahead) send(tokens);
  const predicted = predict(replica, requestOf(inputTokens));
  const ours = send(inputTokens);
  let ttftMs = 0;
  while (ours.generatedTokens === 0) ttftMs += step(engine).durationMs;
  return { predicted, ttftMs, tpotMs: step(engine).durationMs };
}

describe('predicted latency against the engine model, step by step', () => {
  it.each(LATENCY_LOADS)('on %o is within a quarter, or a step, of what it does', (load) => {
    const { predicted, ttftMs, tpotMs } = compare(load);
    expect(Math.abs(predicted.ttftMs - ttftMs)).toBeLessThan(Math.max(ttftMs * 0.25, tpotMs));
    expect(predicted.tpotMs / tpotMs).toBeGreaterThan(0.8);
    expect(predicted.tpotMs / tpotMs).toBeLessThan(1.25);
  });
  it('looks past the step in progress by half of it', () => {
    const busy = replicaView({ id: 'a', decoding: runningRequests(4) });
    const step = decodeStepMs(busy.stepTime, 4, busy.load.decodeContextTokens);
    expect(predictTtftMs(busy, queuedRequest({ id: 'x', inputTokens: 1 }))).toBeGreaterThan(1.45 * step);
  });
});
