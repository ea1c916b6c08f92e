import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../../test/support/scheduling.ts';
import { decodeStepMs } from '../../domain/step-time.ts';
import { chunkedPrefillMs } from '../prefill.ts';
import type { ReplicaView } from '../types.ts';
import { Costs } from './cost.ts';

const request = (inputTokens: number, p50: number) => queuedRequest({ id: 'r', inputTokens, predictedOutput: { p50, p90: 2 * p50 } });
const costOf = (costs: Costs, replica: ReplicaView, inputTokens: number, p50: number) =>
  costs.cost(replica, request(inputTokens, p50), chunkedPrefillMs(replica.stepTime, inputTokens, inputTokens ** 2));
function seen(inputTokens: number, p50: number): Costs {
  const costs = new Costs();
  for (let i = 0; i < 1000; i++) costs.observe(request(inputTokens, p50));
  return costs;
}
const H100 = replicaView({ id: 'a' });
const SLOW = replicaView({ id: 'b', stepTime: { ...H100.stepTime, d0: 12, d1: 0.03, d2: 8e-5, ra: 0.03, rc: 0.012 } });

describe('what a request costs', () => {
  it('is 1 of what is typical, on any engine', () => {
    for (const replica of [H100, SLOW]) expect(costOf(seen(800, 150), replica, 800, 150)).toBeCloseTo(1, 6);
  });
  it('grows with its prompt, with its answer, and less where its prompt is cached', () => {
    const costs = seen(800, 150);
    const [cheap, longPrompt, longAnswer] = [costOf(costs, H100, 800, 150), costOf(costs, H100, 8000, 150), costOf(costs, H100, 800, 1500)];
    expect(longPrompt).toBeGreaterThan(2 * cheap);
    expect(longAnswer).toBeGreaterThan(2 * cheap);
    expect(costs.cost(H100, request(800, 150), 0)).toBeLessThan(cheap);
  });
  it('follows what is typical as that changes', () => {
    const costs = seen(800, 150);
    const before = costOf(costs, H100, 4000, 150);
    for (let i = 0; i < 5000; i++) costs.observe(request(4000, 150));
    expect(costOf(costs, H100, 4000, 150)).toBeLessThan(0.6 * before);
    expect(costOf(costs, H100, 4000, 150)).toBeCloseTo(1, 1);
  });
  it('adds up to what engines get through: the quicker ones more', () => {
    const costs = seen(800, 150);
    const [one, slow] = [costs.throughput([H100]), costs.throughput([SLOW])];
    expect(one).toBeGreaterThan(1.5 * slow);
    expect(costs.throughput([H100, SLOW, SLOW])).toBeCloseTo(one + 2 * slow, 9);
  });
});

describe('what an engine gets through at a pace', () => {
  const PLACES = { maxInFlight: 10_000, kvCacheTokens: 1e9 };
  const ROOMY = replicaView({ ...PLACES, id: 'a' });
  it.each([15, 30, 50])('keeps %i ms a token with the batch and the prompts that this takes', (tpotMs) => {
    const [input, output] = [800, 150];
    const perMs = seen(input, output).capacity(ROOMY, tpotMs);
    const batch = perMs * output * tpotMs;
    const promptShare = perMs * chunkedPrefillMs(ROOMY.stepTime, input, input ** 2);
    const stepMs = decodeStepMs(ROOMY.stepTime, batch, batch * (input + output / 2));
    expect(stepMs / (1 - promptShare) / tpotMs).toBeGreaterThan(0.99);
    expect(stepMs / (1 - promptShare) / tpotMs).toBeLessThan(1.05);
  });
  it('is nothing where a step takes longer by itself', () => {
    expect(seen(800, 150).capacity(SLOW, 12)).toBe(0);
  });
  it('gains more from a looser pace where steps take long by themselves', () => {
    const gain = (replica: ReplicaView) => seen(800, 150).capacity(replica, 100) / seen(800, 150).capacity(replica, 50);
    const slow = replicaView({ ...PLACES, id: 'b', stepTime: { ...H100.stepTime, d0: 21 } });
    expect(gain(slow)).toBeGreaterThan(1.2);
    expect(gain(ROOMY)).toBeLessThan(1.1);
  });
  it('is bounded by places and by KV cache, at any pace', () => {
    const few = replicaView({ id: 'a', maxInFlight: 8, kvCacheTokens: 1e9 });
    const small = replicaView({ id: 'a', maxInFlight: 10_000, kvCacheTokens: 8 * (800 + 75) });
    for (const tpotMs of [50, 1000, Number.POSITIVE_INFINITY]) {
      const perMs = seen(800, 150).capacity(few, tpotMs);
      expect(perMs).toBeCloseTo(seen(800, 150).capacity(few, 100), 12);
      expect(perMs).toBeCloseTo(seen(800, 150).capacity(small, tpotMs), 12);
      expect(perMs).toBeLessThan(seen(800, 150).capacity(ROOMY, tpotMs));
    }
  });
});
