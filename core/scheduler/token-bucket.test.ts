import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

describe('a token bucket', () => {
  it('gives a minute’s worth at once, and then as it fills', () => {
    const bucket = new TokenBucket(60, 0);
    expect(bucket.msUntil(60, 0)).toBe(0);
    bucket.take(60, 0);
    expect(bucket.msUntil(1, 0)).toBe(1000);
    expect(bucket.msUntil(1, 999)).toBeCloseTo(1, 6);
    expect(bucket.msUntil(1, 1000)).toBe(0);
    expect(bucket.level(600_000)).toBe(60);
  });

  it('lets the larger than itself through when it is full, and pays it off before anything else', () => {
    const bucket = new TokenBucket(10, 0);
    expect(bucket.msUntil(25, 0)).toBe(0);
    bucket.take(25, 0);
    expect(bucket.level(0)).toBe(-15);
    expect(bucket.msUntil(1, 0)).toBe(96_000);
    expect(bucket.msUntil(25, 0)).toBe(150_000);
  });

  it('takes back what was not needed, up to what it holds', () => {
    const bucket = new TokenBucket(100, 0);
    bucket.take(80, 0);
    bucket.take(-70, 0);
    expect(bucket.level(0)).toBe(90);
    bucket.take(-70, 0);
    expect(bucket.level(0)).toBe(100);
  });

  it('resized, keeps what fits and is given nothing', () => {
    const bucket = new TokenBucket(100, 0);
    bucket.resize(40, 0);
    expect(bucket.level(0)).toBe(40);
    bucket.resize(100, 0);
    expect(bucket.level(0)).toBe(40);
    expect(bucket.level(30_000)).toBe(90);
  });

  it('never gives more than a minute’s worth and its rate, but for one that is larger than it', () => {
    const asks = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), amount: fc.integer({ min: 1, max: 300 }) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), asks, (perMinute, all) => {
        const bucket = new TokenBucket(perMinute, 0);
        let [nowMs, given, largest] = [0, 0, 0];
        for (const { afterMs, amount } of all) {
          nowMs += afterMs;
          const waitMs = bucket.msUntil(amount, nowMs);
          if (waitMs > 0) {
            // There is room when it says so, and not before.
            const probe = new TokenBucket(perMinute, nowMs);
            probe.take(perMinute - bucket.level(nowMs), nowMs);
            expect(Number.isInteger(waitMs)).toBe(true);
            expect(probe.msUntil(amount, nowMs + waitMs - 1)).toBeGreaterThan(0);
            expect(probe.msUntil(amount, nowMs + waitMs)).toBe(0);
            continue;
          }
          bucket.take(amount, nowMs);
          given += amount;
          largest = Math.max(largest, amount);
          expect(given).toBeLessThanOrEqual(perMinute + (perMinute * nowMs) / 60_000 + Math.max(0, largest - perMinute) + 1e-6);
        }
      }),
    );
  });
});
