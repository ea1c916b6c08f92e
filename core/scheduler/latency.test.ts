import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView, runningRequests } from '../../test/support/scheduling.ts';
import { decodeStepMs, prefillMs } from '../domain/step-time.ts';
import { predictLatency } from './latency.ts';

const request = queuedRequest({ id: 'x', inputTokens: 5000 });

describe('predicted latency', () => {
  it('is the closed form on an idle engine', () => {
    const idle = replicaView({ id: 'a' });
    const predicted = predictLatency(idle, request);
    expect(predicted.ttftMs).toBeCloseTo(prefillMs(idle.stepTime, 5000), 6);
    expect(predicted.tpotMs).toBeCloseTo(decodeStepMs(idle.stepTime, 1, 5050), 6);
  });
  it('grows with the prompts ahead, with the batch and with other gateways’ requests', () => {
    const idle = predictLatency(replicaView({ id: 'a' }), request);
    const behind = predictLatency(replicaView({ id: 'a', outstandingPrefillTokens: 20_000 }), request);
    const beside = predictLatency(
      replicaView({ id: 'a', running: runningRequests(4), reservedKvTokens: 40_000, outstandingDecodeTokens: 400 }),
      request,
    );
    const others = predictLatency(replicaView({ id: 'a', engine: { running: 100, waiting: 10, kvCacheUsage: 0.5 } }), request);
    expect(behind.ttftMs).toBeGreaterThan(idle.ttftMs * 3);
    expect(beside.tpotMs).toBeGreaterThan(idle.tpotMs);
    expect(others.ttftMs).toBeGreaterThan(idle.ttftMs * 5);
  });
  it('pays for attention by prompt, not by backlog', () => {
    const ahead = (prompts: number[]) =>
      predictLatency(
        replicaView({
          id: 'a',
          outstandingPrefillTokens: prompts.reduce((a, b) => a + b),
          outstandingPrefillSquares: prompts.reduce((a, b) => a + b * b, 0),
        }),
        request,
      ).ttftMs;
    expect(ahead([40_960])).toBeGreaterThan(ahead(Array(20).fill(2048)) * 1.2);
  });
  it('stays finite for absurd lengths', () => {
    const predicted = predictLatency(replicaView({ id: 'a', outstandingPrefillTokens: 1e9 }), queuedRequest({ id: 'x', inputTokens: 0 }));
    expect(Number.isFinite(predicted.ttftMs)).toBe(true);
  });
});
