import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SCHEDULER_POLICIES, schedulerPolicy } from '../scheduler/registry.ts';
import { uellmStatic } from '../scheduler/static-batch-scheduler.ts';
import type { SchedulerPolicy } from '../scheduler/types.ts';
import { simulateCluster } from './cluster.ts';
import { createPredictor } from './predictors.ts';
import type { ReplicaSpec } from './simulated-replica.ts';
import { SimulatedRequest } from './simulated-request.ts';

const spec = (id: string, parts: Partial<ReplicaSpec> = {}): ReplicaSpec => ({
  id,
  stepTime: { d0: 10, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 },
  kvCacheTokens: 10_000,
  maxContextTokens: 32_768,
  maxSequences: 256,
  maxBatchedTokens: 2048,
  scheduling: 'fcfs',
  prefixBlockTokens: null,
  usdPerHour: null,
  static: { maxBatch: 3, answers: 'at-batch-end' },
  ...parts,
});
const request = (id: number, outputTokens: number, arrivalMs = 0, inputTokens = 100) =>
  new SimulatedRequest({
    id: String(id).padStart(3, '0'),
    class: 'standard',
    priority: 0,
    arrivalMs,
    targets: { e2eMs: 60_000, attainment: 0.99 },
    queue: { maxWaitMs: 60_000, onHopeless: 'demote' },
    inputTokens,
    outputTokens,
    prefix: null,
  });
function run(
  requests: SimulatedRequest[],
  replicas: ReplicaSpec[],
  policy: SchedulerPolicy = schedulerPolicy('morphling'),
  streamDelayMs = 0,
) {
  const predictor = createPredictor('oracle');
  return simulateCluster({
    requests,
    replicas,
    policy,
    predictor,
    seed: 1,
    stepNoise: 0,
    engineStateAgeMs: 200,
    streamDelayMs,
    modelFactor: 1,
  });
}

describe('an engine of a cluster that batches statically', () => {
  it('takes the next batch when the longest answer of the last has ended', () => {
    const requests = [5, 50, 20, 7, 9].map((tokens, i) => request(i, tokens));
    run(requests, [spec('a')]);
    expect(requests.map(({ endMs }) => endMs)).toEqual([500, 500, 500, 590, 590]);
    expect(requests.map(({ releasedMs }) => releasedMs)).toEqual([0, 0, 0, 500, 500]);
  });
  it('shows who arrives meanwhile that it is at work', () => {
    const requests = [request(0, 50), request(1, 10, 100), request(2, 20, 200)];
    run(requests, [spec('a')]);
    expect(requests.map(({ endMs }) => endMs)).toEqual([500, 700, 700]);
  });
  it('lets answers end one by one where it streams', () => {
    const requests = [5, 50, 20].map((tokens, i) => request(i, tokens));
    run(requests, [spec('a', { static: { maxBatch: 3, answers: 'as-they-end' } })]);
    expect(requests.map(({ firstTokenMs, endMs }) => [firstTokenMs, endMs])).toEqual([
      [10, 50],
      [10, 500],
      [10, 200],
    ]);
  });
  it('gives back what it has no memory for, and takes it in a later batch', () => {
    const requests = [request(0, 100), request(1, 900), request(2, 100), request(3, 100)];
    run(requests, [spec('a', { kvCacheTokens: 1100 })]);
    expect(requests.map(({ outcome }) => outcome)).toEqual(['served', 'served', 'served', 'served']);
    expect(requests[1]!.endMs).toBe(1000 + 9000);
  });
  it('rejects what it could never hold', () => {
    const requests = [request(0, 2000), request(1, 100)];
    run(requests, [spec('a', { kvCacheTokens: 1100 })]);
    expect(requests.map(({ outcome }) => outcome)).toEqual(['rejected', 'served']);
  });
  it('works beside engines that batch continuously', () => {
    const requests = Array.from({ length: 20 }, (_, i) => request(i, 10 + i));
    const { static: _, ...continuous } = spec('b');
    run(requests, [spec('a'), continuous], schedulerPolicy('fcfs'));
    expect(new Set(requests.map(({ replica }) => replica))).toEqual(new Set([0, 1]));
  });
  it.each([...SCHEDULER_POLICIES.map((policy) => [policy.name, policy] as const), ['uellm, planned', uellmStatic] as const])(
    'loses no request under %s',
    (_, policy) => {
      const requests = fc.array(fc.record({ tokens: fc.integer({ min: 1, max: 400 }), arrivalMs: fc.integer({ min: 0, max: 3000 }) }), {
        maxLength: 40,
        minLength: 1,
      });
      fc.assert(
        fc.property(
          requests,
          fc.constantFrom(0, 30),
          fc.constantFrom('at-batch-end' as const, 'as-they-end' as const),
          (drawn, delayMs, answers) => {
            const byArrival = drawn
              .sort((a, b) => a.arrivalMs - b.arrivalMs)
              .map(({ tokens, arrivalMs }, i) => request(i, tokens, arrivalMs));
            const parts = { kvCacheTokens: 1000, static: { maxBatch: 3, answers } };
            const { replicas } = run(byArrival, [spec('a', parts), spec('b', parts)], policy, delayMs);
            expect(byArrival.every(({ outcome }) => outcome === 'served')).toBe(true);
            if (delayMs === 0) expect(replicas.map(({ load }) => load.inFlight)).toEqual([0, 0]);
          },
        ),
        { numRuns: 15 },
      );
    },
  );
});
