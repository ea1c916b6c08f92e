import { describe, expect, it } from 'vitest';
import { chats, replicaSpec, STEP_TIME, simulatedRequest, simulateRequests, times, watched } from '../../test/support/simulating.ts';
import { prefillMs } from '../domain/step-time.ts';
import { predictTtftMs } from '../scheduler/latency.ts';
import { fcfs } from '../scheduler/policies/fcfs.ts';
import { roundRobin } from '../scheduler/policies/round-robin.ts';
import type { EngineLoad } from '../scheduler/types.ts';
import type { SimulatedRequest } from './simulated-request.ts';

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
