import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chats, replicaSpec, STEP_TIME, simulatedRequest, simulateRequests, times } from '../../test/support/simulating.ts';
import { decodeStepMs, measuredStepTime, prefillMs } from '../domain/step-time.ts';
import { roundRobin } from '../scheduler/policies/round-robin.ts';
import { SCHEDULER_POLICIES } from '../scheduler/registry.ts';
import type { ClusterInput } from './cluster.ts';
import { createPredictor } from './predictors.ts';
import type { SimulatedRequest } from './simulated-request.ts';

describe('one request on an idle engine', () => {
  it.each([
    [5000, 101],
    [1, 1],
    [2048, 2],
    [100, 500],
  ])('of %i tokens in and %i out takes its prefill and its decode steps', (inputTokens, outputTokens) => {
    const request = simulatedRequest({ arrivalMs: 30, inputTokens, outputTokens });
    const { endMs, replicas } = simulateRequests([request]);
    let e2eMs = prefillMs(STEP_TIME, inputTokens);
    expect(request.ttftMs).toBeCloseTo(e2eMs, 6);
    for (let i = 1; i < outputTokens; i++) e2eMs += decodeStepMs(STEP_TIME, 1, inputTokens + i);
    expect(request.e2eMs).toBeCloseTo(e2eMs, 6);
    expect(endMs).toBe(request.endMs);
    expect(request).toMatchObject({ outcome: 'served', releasedMs: 30, replica: 0 });
    expect(replicas[0]!.busyMs).toBeCloseTo(e2eMs, 6);
    expect(replicas[0]!.busy.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0)).toBeCloseTo(e2eMs, 6);
  });
});

describe('whatever arrives', () => {
  const request = fc.record({
    arrivalMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
    inputTokens: fc.oneof(fc.integer({ min: 1, max: 800 }), fc.integer({ min: 1, max: 9000 })),
    outputTokens: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 80 })),
    priority: fc.integer({ min: -1, max: 1 }),
    onHopeless: fc.constantFrom('demote' as const, 'shed' as const),
    maxWaitMs: fc.constantFrom(50, 30_000),
    prefix: fc.option(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }).map((blocks) => ({ blocks, blockTokens: 512 })),
      { nil: null },
    ),
  });
  const engine = fc.record({
    kvCacheTokens: fc.integer({ min: 600, max: 8000 }),
    maxContextTokens: fc.constantFrom(1000, 10_000),
    maxSequences: fc.integer({ min: 1, max: 8 }),
    maxBatchedTokens: fc.constantFrom(64, 2048),
    scheduling: fc.constantFrom('fcfs' as const, 'priority' as const),
    stepTime: fc.constantFrom(STEP_TIME, measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients),
  });
  const options = fc.record({
    predictor: fc.constantFrom('oracle', 'class-mean', 'learned'),
    stepNoise: fc.constantFrom(0, 0.05),
    engineStateAgeMs: fc.constantFrom(0, 200, 2000),
    modelFactor: fc.constantFrom(0.5, 1, 2),
  });
  const isDone = (r: SimulatedRequest) => r.outcome === 'served' || r.outcome === 'shed' || r.outcome === 'rejected';

  it.each(SCHEDULER_POLICIES.map((policy) => [policy.name, policy] as const))(
    '%s ends every request exactly once and leaves nothing open',
    (_, policy) => {
      fc.assert(
        fc.property(
          fc.array(request, { minLength: 1, maxLength: 25 }),
          fc.array(engine, { minLength: 1, maxLength: 3 }),
          options,
          fc.constantFrom(0, 30),
          (parts, engines, { predictor: name, ...rest }, streamDelayMs) => {
            const requests = parts
              .sort((a, b) => a.arrivalMs - b.arrivalMs)
              .map(({ onHopeless, maxWaitMs, ...r }, i) => simulatedRequest({ ...r, id: String(i), queue: { onHopeless, maxWaitMs } }));
            const inner = createPredictor(name);
            const observed: string[] = [];
            const predictor: ClusterInput['predictor'] = {
              predict: (r) => inner.predict(r),
              observe(r, nowMs) {
                observed.push((r as SimulatedRequest).id);
                inner.observe(r, nowMs);
              },
            };
            const replicas = engines.map((e, i) => replicaSpec({ ...e, id: `r${i}` }));
            const progress: number[] = [];
            const run = simulateRequests(requests, {
              ...rest,
              streamDelayMs,
              policy,
              predictor,
              replicas,
              onProgress: (n) => progress.push(n),
            });
            expect(requests.filter((r) => !isDone(r))).toEqual([]);
            expect(progress).toEqual([requests.length]);
            const served = requests.filter((r) => r.outcome === 'served');
            expect([...observed].sort((a, b) => Number(a) - Number(b))).toEqual(served.map((r) => r.id));
            for (const r of served) {
              expect(r.releasedMs).toBeGreaterThanOrEqual(r.arrivalMs);
              expect(r.firstTokenMs).toBeGreaterThan(r.releasedMs);
              expect(r.endMs).toBeGreaterThanOrEqual(r.firstTokenMs);
              expect(r.outputTokens === 1).toBe(r.endMs === r.firstTokenMs);
              expect(r.sequence?.generatedTokens).toBe(r.outputTokens);
            }
            for (const r of requests) {
              if (r.outcome === 'shed') expect(r.endMs - r.arrivalMs).toBeGreaterThan(r.queue.maxWaitMs);
              if (r.outcome === 'shed') expect(r.queue.onHopeless === 'shed' || r.priority < 0).toBe(true);
              const spec = replicas[r.replica];
              const needed = r.inputTokens + r.outputTokens;
              if (r.outcome === 'rejected')
                expect(needed > spec!.maxContextTokens || Math.ceil((needed - 1) / 16) > Math.floor(spec!.kvCacheTokens / 16)).toBe(true);
            }
            expect(run.replicas.reduce((sum, { load }) => sum + load.started, 0)).toBe(served.length);
            for (const { load, hasWork } of run.replicas) {
              expect([load.inFlight, load.ended - load.started, hasWork]).toEqual([0, 0, false]);
              expect([load.prefilling, load.prefillTokens, load.decodeContextTokens, load.expectedKvTokens]).toEqual([0, 0, 0, 0]);
            }
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  it('ends all that arrive at once, in several rounds', () => {
    const requests = Array.from({ length: 600 }, (_, i) => simulatedRequest({ id: String(i), outputTokens: 1 + (i % 40) }));
    const replicas = [replicaSpec({ id: 'a', maxSequences: 64 }), replicaSpec({ id: 'b', maxSequences: 64 })];
    const run = simulateRequests(requests, { replicas });
    expect(requests.every((r) => r.outcome === 'served')).toBe(true);
    expect(run.replicas.map((r) => r.load.started).every((started) => started > 280)).toBe(true);
  });
  it('a fleet on which nothing fits rejects all', () => {
    const requests = [simulatedRequest({ inputTokens: 20_000 }), simulatedRequest({ inputTokens: 1000 })];
    simulateRequests(requests, { replicas: [replicaSpec({ maxContextTokens: 2000 })] });
    expect(requests.map((r) => r.outcome)).toEqual(['rejected', 'served']);
  });
  it.each(SCHEDULER_POLICIES.map((policy) => [policy.name, policy] as const))(
    'a request that one engine refuses goes to one that can hold it with %s',
    (_, policy) => {
      const requests = [simulatedRequest({ inputTokens: 20_000 }), simulatedRequest({ id: '1', inputTokens: 200_000 })];
      simulateRequests(requests, { policy, replicas: [replicaSpec({ id: 'a', maxContextTokens: 2000 }), replicaSpec({ id: 'b' })] });
      expect(requests[0]).toMatchObject({ outcome: 'served', replica: 1 });
      expect(requests[1]!.outcome).toBe('rejected');
    },
  );
  it.each(SCHEDULER_POLICIES.map((policy) => [policy.name, policy] as const))(
    'a request that only a full engine can hold waits for it with %s',
    (_, policy) => {
      const targets = { ttftMs: 60_000 };
      const requests = Array.from({ length: 8 }, (_unused, i) =>
        simulatedRequest({ id: String(i), arrivalMs: i, inputTokens: 5000, outputTokens: 50, targets }),
      );
      const small = replicaSpec({ id: 'a', maxContextTokens: 2000 });
      simulateRequests(requests, { policy, replicas: [small, replicaSpec({ id: 'b', maxSequences: 1 })] });
      expect(requests.map((r) => [r.outcome, r.replica])).toEqual(requests.map(() => ['served', 1]));
    },
  );
});

describe('the same input', () => {
  const run = (parts: Partial<ClusterInput>) => {
    const requests = chats(300, 15);
    simulateRequests(requests, { replicas: [replicaSpec({ id: 'a' }), replicaSpec({ id: 'b' }), replicaSpec({ id: 'c' })], ...parts });
    return times(requests);
  };
  it.each(SCHEDULER_POLICIES.map((policy) => [policy.name, policy] as const))('gives the same result with %s', (_, policy) => {
    const parts = { policy, stepNoise: 0.05, seed: 5, predictor: () => createPredictor('learned') };
    const once = () => run({ ...parts, predictor: parts.predictor() });
    expect(once()).toEqual(once());
  });
  it('gives another with another seed, where anything is drawn', () => {
    expect(run({ stepNoise: 0.05, seed: 1 })).not.toEqual(run({ stepNoise: 0.05, seed: 2 }));
    expect(run({ seed: 1 })).toEqual(run({ seed: 2 }));
  });
  it('takes as long on average with noise as without', () => {
    const mean = (stepNoise: number) => run({ stepNoise }).reduce((sum, r) => sum + r.endMs - r.releasedMs, 0) / 300;
    expect(mean(0.05)).not.toBe(mean(0));
    expect(mean(0.05) / mean(0)).toBeGreaterThan(0.98);
    expect(mean(0.05) / mean(0)).toBeLessThan(1.02);
  });
});

describe('priorities', () => {
  const firsts = (scheduling: 'fcfs' | 'priority') => {
    const requests = [0, -5, 5].map((priority, i) =>
      simulatedRequest({ id: String(i), priority, inputTokens: 4000, outputTokens: 20, queue: { maxWaitMs: 60_000 } }),
    );
    simulateRequests(requests, { policy: roundRobin, replicas: [replicaSpec({ scheduling })] });
    return requests.sort((a, b) => a.firstTokenMs - b.firstTokenMs).map((r) => r.priority);
  };
  it('are kept by engines that schedule by them: the scheduler’s higher is more urgent', () => {
    // The first is under way when the others come in the same instant.
    expect(firsts('priority')).toEqual([0, 5, -5]);
    expect(firsts('fcfs')).toEqual([0, -5, 5]);
  });
});

describe('shedding', () => {
  it('gives up who may be shed, once they have waited too long, and nobody else', () => {
    const queue = { maxWaitMs: 500 };
    const requests = [
      simulatedRequest({ id: 'runs', outputTokens: 500 }),
      simulatedRequest({ id: 'sheds', queue: { ...queue, onHopeless: 'shed' } }),
      simulatedRequest({ id: 'below 0', priority: -1, queue }),
      simulatedRequest({ id: 'waits', queue }),
    ];
    simulateRequests(requests, { replicas: [replicaSpec({ maxSequences: 1 })] });
    expect(requests.map((r) => r.outcome)).toEqual(['served', 'shed', 'shed', 'served']);
    for (const { endMs } of requests.slice(1, 3)) {
      expect(endMs).toBeGreaterThan(500);
      expect(endMs).toBeLessThanOrEqual(700);
    }
  });
});
