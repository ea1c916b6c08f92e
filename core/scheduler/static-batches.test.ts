import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { type BatchPlanOptions, deadlineBatches, expectedMisses, planBatches } from './static-batches.ts';
import type { QueuedRequest } from './types.ts';

const stepTime = { prefillMs: () => 27.6, decodeMs: () => 27.6 };
const idle = { freeAtMs: 0, freeDeviationMs: 0, slowness: 1 };
const options: BatchPlanOptions = { replicas: [idle], maxBatch: 10, kvCacheTokens: 1e6, stepTime, nowMs: 0 };

const request = (id: string, e2eMs: number, p50: number, p90 = p50, parts: Partial<QueuedRequest> = {}) =>
  queuedRequest({ ...parts, id, targets: { e2eMs }, predictedOutput: { p50, p90 }, inputTokens: parts.inputTokens ?? 100 });
const ids = (batches: readonly (readonly QueuedRequest[])[]) => batches.map((batch) => batch.map(({ id }) => id).sort());

const anyRequest = fc
  .record({
    seconds: fc.integer({ min: 1, max: 300 }),
    p50: fc.integer({ min: 1, max: 1000 }),
    spread: fc.double({ min: 1, max: 4, noNaN: true }),
    priority: fc.integer({ min: -1, max: 1 }),
    inputTokens: fc.integer({ min: 1, max: 2000 }),
  })
  .map(
    ({ seconds, p50, spread, priority, inputTokens }) =>
      (id: string) =>
        request(id, 1000 * seconds, p50, p50 * spread, { priority, inputTokens }),
  );
const anyRequests = fc.array(anyRequest, { maxLength: 60 }).map((all) => all.map((one, i) => one(String(i).padStart(3, '0'))));
const anyOptions = fc
  .record({
    replicas: fc.array(
      fc.record({
        freeAtMs: fc.integer({ min: -5, max: 20_000 }),
        freeDeviationMs: fc.integer({ min: 0, max: 5000 }),
        slowness: fc.constantFrom(1, 2.5),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    maxBatch: fc.integer({ min: 1, max: 12 }),
    kvCacheTokens: fc.constantFrom(1e6, 5000),
  })
  .map((parts): BatchPlanOptions => ({ ...parts, stepTime, nowMs: 0 }));

describe('planBatches', () => {
  it('puts every request in exactly one batch, none larger than an engine takes', () => {
    fc.assert(
      fc.property(anyRequests, anyOptions, (requests, any) => {
        const batches = planBatches(requests, any);
        expect(
          batches
            .flat()
            .map(({ id }) => id)
            .sort(),
        ).toEqual(requests.map(({ id }) => id));
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(any.maxBatch);
        }
      }),
      { numRuns: 60 },
    );
  });
  it('keeps batches within memory, but for a request alone', () => {
    fc.assert(
      fc.property(anyRequests, anyOptions, (requests, any) => {
        for (const batch of planBatches(requests, any)) {
          const padded =
            batch.length * Math.max(...batch.map((r) => r.inputTokens)) +
            batch.length * Math.max(...batch.map((r) => r.predictedOutput.p50));
          // The expected longest is at least the longest median, within what the approximation is off.
          if (batch.length > 1) expect(padded).toBeLessThanOrEqual(any.kvCacheTokens * 1.05);
        }
      }),
      { numRuns: 40 },
    );
  });
  it('never expects more misses than full batches by deadline', () => {
    fc.assert(
      fc.property(anyRequests, anyOptions, (requests, any) => {
        const planned = expectedMisses(planBatches(requests, any), any);
        expect(planned).toBeLessThanOrEqual(expectedMisses(deadlineBatches(requests, any), any) + 1e-6);
      }),
      { numRuns: 60 },
    );
  });
  it('is the same for the same requests', () => {
    fc.assert(
      fc.property(anyRequests, anyOptions, (requests, any) => {
        expect(ids(planBatches(requests, any))).toEqual(ids(planBatches(requests, any)));
      }),
      { numRuns: 20 },
    );
  });

  it('puts like lengths together where deadlines allow it', () => {
    const requests = Array.from({ length: 20 }, (_, i) => request(String(i).padStart(2, '0'), 200_000, i % 2 === 0 ? 50 : 800));
    const [first, second] = planBatches(requests, options);
    expect(new Set(first!.map((r) => r.predictedOutput.p50))).toEqual(new Set([50]));
    expect(new Set(second!.map((r) => r.predictedOutput.p50))).toEqual(new Set([800]));
  });
  it('keeps deadlines where that costs padding', () => {
    const urgent = request('urgent', 25_000, 800);
    const short = Array.from({ length: 10 }, (_, i) => request(`short-${i}`, 60_000, 50));
    expect(planBatches([...short, urgent], options)[0]).toContain(urgent);
  });
  it('puts last what can only come late', () => {
    const hopeless = request('hopeless', 1000, 900);
    const others = Array.from({ length: 19 }, (_, i) => request(`r${i}`, 30_000, 400));
    expect(planBatches([hopeless, ...others], options).at(-1)).toContain(hopeless);
  });
  it('would rather miss what is less urgent, or the tenant with the smaller share', () => {
    const requests = [
      ...Array.from({ length: 10 }, (_, i) => request(`low-${i}`, 12_000, 400)),
      ...Array.from({ length: 10 }, (_, i) => request(`high-${i}`, 12_000, 400, 400, { priority: 1 })),
    ];
    expect(planBatches(requests, options)[0]!.every(({ priority }) => priority === 1)).toBe(true);
    const tenants = requests.map((r, i) => ({ ...r, priority: 0, tenantWeight: i < 10 ? 1 : 2 }));
    expect(planBatches(tenants, options)[0]!.every(({ tenantWeight }) => tenantWeight === 2)).toBe(true);
  });
  it('makes use of every idle engine', () => {
    const requests = Array.from({ length: 8 }, (_, i) => request(String(i), 60_000, 100 * (i + 1)));
    expect(planBatches(requests, { ...options, replicas: [idle, idle, idle] }).length).toBeGreaterThanOrEqual(3);
  });
});
