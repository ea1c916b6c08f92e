import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replicaSpec, STEP_TIME, simulatedRequest, simulateRequests } from '../../test/support/simulating.ts';
import { decodeStepMs, measuredStepTime, prefillMs } from '../domain/step-time.ts';
import { predictTtftMs } from '../scheduler/latency.ts';
import { fcfs } from '../scheduler/policies/fcfs.ts';
import { roundRobin } from '../scheduler/policies/round-robin.ts';
import { SCHEDULER_POLICIES } from '../scheduler/registry.ts';
import type { EngineLoad, SchedulerPolicy } from '../scheduler/types.ts';
import type { ClusterInput } from './cluster.ts';
import { createPredictor } from './predictors.ts';
import type { SimulatedReplica } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';

/** A policy that is watched whenever it is asked, before it answers; `holds` are requests that it keeps waiting. */
function watched(
  policy: SchedulerPolicy,
  watch: (nowMs: number, replicas: readonly SimulatedReplica[]) => void,
  holds: (id: string, nowMs: number) => boolean = () => false,
): SchedulerPolicy {
  return {
    ...policy,
    createScheduler: (seed) => {
      const inner = policy.createScheduler<never, never>(seed);
      const held = new Set<never>();
      return {
        get size() {
          return inner.size + held.size;
        },
        enqueue: (request) => void held.add(request as never),
        cancel: (request) => held.delete(request as never) || inner.cancel(request as never),
        next(replicas, nowMs) {
          watch(nowMs, replicas as unknown as SimulatedReplica[]);
          for (const request of held) {
            if (holds((request as SimulatedRequest).id, nowMs)) continue;
            held.delete(request);
            inner.enqueue(request);
          }
          return inner.next(replicas as never, nowMs);
        },
      };
    },
  };
}

const times = (requests: readonly SimulatedRequest[]) =>
  requests.map(({ outcome, replica, releasedMs, firstTokenMs, endMs }) => ({ outcome, replica, releasedMs, firstTokenMs, endMs }));
/** A request whenever an exponential-looking while has passed, of many lengths. */
const chats = (count: number, gapMs: number) =>
  Array.from({ length: count }, (_, i) =>
    simulatedRequest({
      id: String(i),
      arrivalMs: gapMs * (i + ((i * 7) % 5) / 5),
      inputTokens: 50 + ((i * 397) % 3000),
      outputTokens: 1 + ((i * 131) % 300),
    }),
  );

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
    expect(replicas[0]!.busyByInterval.reduce((a, b) => a + b, 0)).toBeCloseTo(e2eMs, 6);
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

describe('the load that the gateway sees', () => {
  it('is what the engines have, after every step, and its KV cache is never less than theirs by more than unfilled blocks', () => {
    let checks = 0;
    const policy = watched(fcfs, (_, replicas) => {
      for (const { load, stepping } of replicas) {
        // In the middle of a step the engine is ahead of what anybody was told.
        if (stepping) continue;
        checks++;
        const open = [...load.running] as SimulatedRequest[];
        const sequences = open.map((r) => r.sequence!);
        const sum = (value: (r: SimulatedRequest) => number) => open.reduce((total, r) => total + value(r), 0);
        const generated = (r: SimulatedRequest) => r.sequence!.generatedTokens;
        expect(sequences.filter((s) => s.generatedTokens === 0)).toHaveLength(load.prefilling);
        expect(load.decodeContextTokens).toBe(sum((r) => (generated(r) > 0 ? r.inputTokens + generated(r) : 0)));
        expect(load.prefillTokens).toBe(sum((r) => (generated(r) > 0 ? 0 : r.inputTokens)));
        expect(load.outstandingDecodeTokens).toBe(sum((r) => r.outputTokens - generated(r)));
        expect(load.expectedKvTokens).toBe(sum((r) => r.inputTokens + r.outputTokens));
        expect(sequences.reduce((total, s) => total + s.blocks * 16, 0)).toBeLessThanOrEqual(load.expectedKvTokens + 15 * open.length);
      }
    });
    const requests = chats(200, 10);
    const { replicas } = simulateRequests(requests, {
      policy,
      replicas: [replicaSpec({ id: 'a', kvCacheTokens: 20_000 }), replicaSpec({ id: 'b', kvCacheTokens: 20_000, maxSequences: 4 })],
      stepNoise: 0.05,
    });
    expect(checks).toBeGreaterThan(400);
    expect(requests.every((r) => r.outcome === 'served')).toBe(true);
    expect(replicas.map((r) => r.preemptions)).toEqual([0, 0]);
  });
  it('fills the KV cache and never beyond, where lengths are known and blocks are full', () => {
    // 401 tokens, of which the last is never cached: 25 blocks.
    const requests = Array.from({ length: 300 }, (_, i) => simulatedRequest({ id: String(i), inputTokens: 100, outputTokens: 301 }));
    let most = 0;
    const policy = watched(fcfs, (_now, [replica]) => {
      most = Math.max(most, replica!.load.inFlight);
    });
    const { replicas } = simulateRequests(requests, { policy, replicas: [replicaSpec({ kvCacheTokens: 20_000 })] });
    expect(replicas[0]!.preemptions).toBe(0);
    expect(most).toBe(Math.floor(20_000 / 401));
  });
  it('holds requests back where answers outgrow their predictions, which engines preempt for', () => {
    const run = (p50: number) => {
      const requests = Array.from({ length: 300 }, (_, i) =>
        simulatedRequest({ id: String(i), arrivalMs: i * 60, inputTokens: 100, outputTokens: 400 }),
      );
      let most = 0;
      const policy = watched(fcfs, (_now, [replica]) => {
        most = Math.max(most, replica!.load.inFlight);
      });
      const predictor = { predict: () => ({ p50, p90: p50 }), observe: () => undefined };
      const replicas = [replicaSpec({ kvCacheTokens: 12_000 })];
      const { preemptions } = simulateRequests(requests, { policy, predictor, replicas, engineStateAgeMs: 1e6 }).replicas[0]!;
      expect(requests.every((r) => r.outcome === 'served')).toBe(true);
      return { preemptions, most };
    };
    expect(run(400)).toEqual({ preemptions: 0, most: 24 });
    const surprised = run(20);
    expect(surprised.preemptions).toBeGreaterThan(0);
    // By the predictions alone there would be 100.
    expect(surprised.most).toBeLessThan(90);
  });

  it('has prompts to prefill in full on an engine without a prefix cache', () => {
    const prefix = { blocks: ['a', 'b'], blockTokens: 512 };
    const requests = [0, 1].map((i) => simulatedRequest({ id: String(i), arrivalMs: i, inputTokens: 1200, outputTokens: 500, prefix }));
    requests.push(simulatedRequest({ id: 'probe', arrivalMs: 2 }));
    let prefillTokens = 0;
    const policy = watched(fcfs, (nowMs, [replica]) => {
      if (nowMs === 2 && prefillTokens === 0) prefillTokens = replica!.load.prefillTokens;
    });
    simulateRequests(requests, { policy, replicas: [replicaSpec({ prefixBlockTokens: null })] });
    expect(prefillTokens).toBe(2400);
  });
});

describe('gauges', () => {
  /** What the gateway sees of an engine that has one request, while another waits at the gateway. */
  function gaugesSeen(engineStateAgeMs: number) {
    const seen: { nowMs: number; engine: EngineLoad | null }[] = [];
    const requests = [
      simulatedRequest({ id: 'runs', arrivalMs: 500, outputTokens: 200 }),
      simulatedRequest({ id: 'waits', arrivalMs: 500 }),
    ];
    const policy = watched(
      fcfs,
      (nowMs, [replica]) => seen.push({ nowMs, engine: replica!.engine }),
      (id, nowMs) => id === 'waits' && nowMs < 20_000,
    );
    simulateRequests(requests, { policy, engineStateAgeMs });
    const running = seen.filter(({ engine }) => engine?.running === 1 && engine.kvCacheUsage > 0);
    const untilWaits = running.filter(({ nowMs }) => nowMs < 20_000);
    return { firstMs: untilWaits[0]!.nowMs - 500, lastMs: untilWaits.at(-1)!.nowMs - requests[0]!.endMs, seen };
  }
  it.each([100, 200, 1000])('are between half and all of %i ms old', (ageMs) => {
    const { firstMs, lastMs } = gaugesSeen(ageMs);
    for (const lagMs of [firstMs, lastMs]) {
      // The end of the old is told by what was the last reading of it.
      expect(lagMs).toBeGreaterThanOrEqual(0);
      expect(lagMs).toBeLessThanOrEqual(ageMs + 1e-6);
    }
    expect(firstMs).toBeGreaterThanOrEqual(ageMs / 2 - 1e-6);
  });
  it('are unknown until the first has come', () => {
    const { seen } = gaugesSeen(2000);
    expect(seen.filter(({ nowMs }) => nowMs < 1999).every(({ engine }) => engine === null)).toBe(true);
    expect(seen.find(({ engine }) => engine !== null)!.nowMs).toBe(2000);
  });
  it('are no older than that after a pause', () => {
    let engine: EngineLoad | null = null;
    const requests = [simulatedRequest({ id: 'a', outputTokens: 50 }), simulatedRequest({ id: 'b', arrivalMs: 60_000 })];
    const policy = watched(fcfs, (nowMs, [replica]) => {
      if (nowMs === 60_000 && !engine) engine = { ...replica!.engine! };
    });
    simulateRequests(requests, { policy });
    expect(engine).toEqual({ running: 0, waiting: 0, kvCacheUsage: 0 });
  });
});

describe('the delay of streams', () => {
  it('changes nothing for requests whose way does not depend on what the gateway knows', () => {
    const run = (streamDelayMs: number) => {
      const requests = chats(150, 20);
      simulateRequests(requests, { policy: roundRobin, replicas: [replicaSpec({ id: 'a' }), replicaSpec({ id: 'b' })], streamDelayMs });
      return times(requests);
    };
    expect(run(700)).toEqual(run(0));
  });
  it.each([0, 40, 700])('tells the gateway of first tokens and ends %i ms late', (streamDelayMs) => {
    let [firstSeenMs, endSeenMs, tokens] = [Number.NaN, Number.NaN, 0];
    const requests = [simulatedRequest({ id: 'runs', outputTokens: 100 }), simulatedRequest({ id: 'waits' })];
    const policy = watched(
      fcfs,
      (nowMs, [replica]) => {
        const { load } = replica!;
        if (load.started !== 1) return;
        if (Number.isNaN(firstSeenMs) && load.prefilling === 0) firstSeenMs = nowMs;
        if (Number.isNaN(endSeenMs) && load.ended === 1) endSeenMs = nowMs;
        if (load.decodeContextTokens > 0) tokens = load.decodeContextTokens - 1000;
      },
      (id, nowMs) => id === 'waits' && nowMs < 10_000,
    );
    simulateRequests(requests, { policy, streamDelayMs });
    expect(firstSeenMs).toBeCloseTo(requests[0]!.firstTokenMs + streamDelayMs, 6);
    expect(endSeenMs).toBeCloseTo(requests[0]!.endMs + streamDelayMs, 6);
    expect(tokens).toBeGreaterThan(80);
  });
  it.each([0, 40])('lets the predictor learn of an end %i ms late', (streamDelayMs) => {
    const seen: number[] = [];
    const predictor = { predict: () => ({ p50: 100, p90: 100 }), observe: (_: unknown, nowMs: number) => void seen.push(nowMs) };
    const requests = chats(20, 100);
    simulateRequests(requests, { predictor, streamDelayMs });
    expect(seen).toEqual(requests.map((r) => r.endMs + streamDelayMs).sort((a, b) => a - b));
  });
  it('holds a full engine’s queue up by as much', () => {
    const run = (streamDelayMs: number) => {
      const requests = [simulatedRequest({ id: 'a' }), simulatedRequest({ id: 'b' })];
      simulateRequests(requests, { replicas: [replicaSpec({ maxSequences: 1 })], streamDelayMs });
      return requests[1]!.releasedMs - requests[0]!.endMs;
    };
    expect([run(0), run(250)]).toEqual([0, 250]);
  });
});

describe('the error of the model', () => {
  it('changes what the scheduler believes', () => {
    const predicted = (modelFactor: number) => {
      let ttftMs = 0;
      const request = simulatedRequest({ id: 'a' });
      const policy = watched(fcfs, (_, [replica]) => {
        ttftMs ||= predictTtftMs(replica!, request);
      });
      simulateRequests([request], { policy, modelFactor });
      return ttftMs / prefillMs(STEP_TIME, 1000);
    };
    expect([0.5, 1, 1.5].map((factor) => predicted(factor))).toEqual([0.5, 1, 1.5].map((factor) => expect.closeTo(factor, 9)));
  });
  it('changes nothing else', () => {
    const run = (modelFactor: number) => {
      const requests = chats(150, 20);
      simulateRequests(requests, {
        policy: roundRobin,
        replicas: [replicaSpec({ id: 'a' }), replicaSpec({ id: 'b' })],
        modelFactor,
        stepNoise: 0.05,
      });
      return times(requests);
    };
    expect(run(3)).toEqual(run(1));
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
