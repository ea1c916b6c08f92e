import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chats, replicaSpec, STEP_TIME, simulatedRequest, simulateRequests, times } from '../../test/support/simulating.ts';
import { decodeStepMs, prefillMs } from '../domain/step-time.ts';
import { leastInFlight } from '../scheduler/policies/least-in-flight.ts';
import { uellm } from '../scheduler/policies/uellm.ts';
import type { EngineFault } from './faults.ts';
import { withLongerOutputs } from './faults.ts';

const two = [replicaSpec({ id: 'a' }), replicaSpec({ id: 'b' })];

describe('slow steps', () => {
  it('take so many times as long from the next one on, and add up', () => {
    const request = simulatedRequest({ inputTokens: 1000, outputTokens: 400 });
    simulateRequests([request], {
      faults: [
        { kind: 'slow-steps', atMs: 500, replicaId: 'r', factor: 3 },
        { kind: 'slow-steps', atMs: 1500, replicaId: 'r', factor: 0.5 },
      ],
    });
    let ms = prefillMs(STEP_TIME, 1000);
    for (let i = 1; i < 400; i++) {
      const factor = ms <= 500 ? 1 : ms <= 1500 ? 3 : 1.5;
      ms += factor * decodeStepMs(STEP_TIME, 1, 1000 + i);
    }
    expect(request.e2eMs).toBeCloseTo(ms, 6);
  });
});

describe('a smaller KV cache', () => {
  it('evicts who has no more room, and all are served in the end', () => {
    const requests = Array.from({ length: 8 }, (_, i) => simulatedRequest({ id: String(i), inputTokens: 1000, outputTokens: 600 }));
    const { replicas } = simulateRequests(requests, {
      replicas: [replicaSpec({ kvCacheTokens: 16_000 })],
      faults: [{ kind: 'smaller-kv-cache', atMs: 2000, replicaId: 'r', share: 0.25 }],
    });
    expect(replicas[0]!.preemptions).toBeGreaterThan(4);
    expect(requests.map((r) => r.outcome)).toEqual(requests.map(() => 'served'));
  });

  it('loses who is too long for what is left: what has no token yet is tried elsewhere, a stream that breaks has failed', () => {
    const requests = [
      simulatedRequest({ id: 'streaming', inputTokens: 3000, outputTokens: 2000 }),
      simulatedRequest({ id: 'short', inputTokens: 100, outputTokens: 900 }),
      simulatedRequest({ id: 'prompt', arrivalMs: 1990, inputTokens: 9000, outputTokens: 10 }),
    ];
    simulateRequests(requests, {
      policy: leastInFlight,
      replicas: [
        replicaSpec({ id: 'r', kvCacheTokens: 20_000 }),
        replicaSpec({ id: 'other', kvCacheTokens: 20_000, stepTime: { ...STEP_TIME, d0: 500 } }),
      ],
      faults: [{ kind: 'smaller-kv-cache', atMs: 2000, replicaId: 'r', share: 0.2 }],
    });
    expect(requests[0]).toMatchObject({ replica: 0, outcome: 'failed', endMs: 2000 });
    expect(requests[2]).toMatchObject({ outcome: 'served', replica: 1 });
  });
});

describe('an engine that ends for want of memory', () => {
  const faults: EngineFault[] = [{ kind: 'out-of-memory', atMs: 0, replicaId: 'a', kvUsage: 0.05, restartMs: 5000 }];

  it('fails the streams it had, is away, and is back as another generation; the others are tried elsewhere', () => {
    const requests = chats(200, 20);
    const { replicas } = simulateRequests(requests, { replicas: two, policy: uellm, faults });
    const failed = requests.filter((r) => r.outcome === 'failed');
    expect(failed.length).toBeGreaterThan(0);
    expect(requests.filter((r) => r.outcome === 'served')).toHaveLength(requests.length - failed.length);
    expect(new Set(failed.map((r) => r.replica))).toEqual(new Set([0]));
    const diedMs = Math.min(...failed.map((r) => r.endMs));
    expect(requests.filter((r) => r.replica === 0 && r.releasedMs > diedMs && r.releasedMs < diedMs + 5000)).toEqual([]);
    expect(requests.some((r) => r.avoid.has('a') && r.outcome === 'served' && r.replica === 1)).toBe(true);
    expect(replicas[0]!.generation).toBeGreaterThan(1);
    expect(replicas[0]!.load.inFlight).toBe(0);
  });

  it('that is the only one has everybody wait until it is back', () => {
    const requests = [
      simulatedRequest({ id: '0', inputTokens: 1000, outputTokens: 500 }),
      simulatedRequest({ id: '1', arrivalMs: 3000, inputTokens: 100, outputTokens: 10 }),
    ];
    simulateRequests(requests, {
      replicas: [replicaSpec({ kvCacheTokens: 12_000 })],
      faults: [{ kind: 'out-of-memory', atMs: 0, replicaId: 'r', kvUsage: 0.1, restartMs: 9000 }],
    });
    const diedMs = requests[0]!.endMs;
    expect(requests[0]!.outcome).toBe('failed');
    expect(diedMs).toBeLessThan(3000);
    expect(requests[1]).toMatchObject({ outcome: 'served', releasedMs: diedMs + 9000 });
  });
});

describe('longer outputs', () => {
  const trace = [0, 1000, 2000].map((arrivalMs) => ({ arrivalMs: 5000 + arrivalMs, inputTokens: 10, outputTokens: 5, class: 'chat' }));
  const lengths = (...faults: Parameters<typeof withLongerOutputs>[1]) => withLongerOutputs(trace, faults, 2).map((r) => r.outputTokens);

  it('are those of requests that arrive from then on, in the time of the run, of the class that is said', () => {
    expect(lengths({ kind: 'longer-outputs', atMs: 500, class: null, factor: 3 })).toEqual([5, 15, 15]);
    expect(lengths({ kind: 'longer-outputs', atMs: 501, class: 'chat', factor: 0.01 })).toEqual([5, 5, 1]);
    expect(lengths({ kind: 'longer-outputs', atMs: 0, class: 'other', factor: 3 })).toEqual([5, 5, 5]);
    expect(withLongerOutputs(trace, [], 2)).toBe(trace);
  });
});

describe('whatever goes wrong', () => {
  const fault = fc.record({
    kind: fc.constantFrom('slow-steps' as const, 'smaller-kv-cache' as const, 'out-of-memory' as const),
    atMs: fc.integer({ min: 0, max: 4000 }),
    replicaId: fc.constantFrom('a', 'b'),
    factor: fc.constantFrom(0.5, 2, 10),
    share: fc.constantFrom(0.05, 0.5, 1),
    kvUsage: fc.constantFrom(0.05, 0.3, 1),
    restartMs: fc.constantFrom(1, 3000),
  });

  it('every request ends once, nothing stays open, and the same happens again', () => {
    fc.assert(
      fc.property(
        fc.array(fault, { maxLength: 6 }),
        fc.constantFrom(null, 512),
        fc.constantFrom(0, 40),
        fc.constantFrom(uellm, leastInFlight),
        (faults, prefixBlockTokens, streamDelayMs, policy) => {
          const run = () => {
            const requests = chats(60, 30);
            const replicas = two.map((spec) => ({ ...spec, kvCacheTokens: 8000, prefixBlockTokens }));
            const result = simulateRequests(requests, {
              replicas,
              faults,
              streamDelayMs,
              policy,
              stepNoise: 0.05,
              monitor: { everyMs: 700 },
            });
            for (const r of requests) expect(r.outcome).not.toBe('pending');
            for (const { load, isUp } of result.replicas) if (isUp) expect(load).toMatchObject({ inFlight: 0, prefillTokens: 0 });
            return times(requests);
          };
          expect(run()).toEqual(run());
        },
      ),
      { numRuns: 40 },
    );
  });
});

it.each([
  [{ kind: 'slow-steps', atMs: -1, replicaId: 'a', factor: 2 }, 'faults[0].atMs'],
  [{ kind: 'slow-steps', atMs: 0, replicaId: 'x', factor: 2 }, 'faults[0].replicaId'],
  [{ kind: 'slow-steps', atMs: 0, replicaId: 'a', factor: 0 }, 'faults[0].factor'],
  [{ kind: 'smaller-kv-cache', atMs: 0, replicaId: 'a', share: 2 }, 'faults[0].share'],
  [{ kind: 'out-of-memory', atMs: 0, replicaId: 'a', kvUsage: Number.NaN, restartMs: 1 }, 'faults[0].kvUsage'],
  [{ kind: 'out-of-memory', atMs: 0, replicaId: 'a', kvUsage: 1, restartMs: 0 }, 'faults[0].restartMs'],
] as [EngineFault, string][])('%o is refused by its field', (fault, field) => {
  expect(() => simulateRequests(chats(2, 1), { replicas: two, faults: [fault] })).toThrow(field);
});
