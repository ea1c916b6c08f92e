import { describe, expect, it } from 'vitest';
import { arrivalBucket } from '../../../test/support/arrivals.ts';
import { type RecentInput, recentBuckets } from './recent.ts';

const NOW = Date.UTC(2026, 4, 14, 12, 0, 10);
const MINUTE = 60_000;
const counted = (agoMinutes: number, arrivals: number, endedWithinMs: number | null = 1000) => ({
  ...arrivalBucket(NOW - 10_000 - agoMinutes * MINUTE, arrivals),
  endedWithinMs,
});
/** In minutes before now: what is known, `9` for a bucket of nine, `9?` where at least nine are. */
function known(input: Partial<RecentInput>): Record<string, string> {
  const buckets = recentBuckets({
    counted: [],
    anyArrivals: new Set((input.counted ?? []).map((b) => b.bucketStartMs)),
    gateways: [],
    bucketSeconds: 60,
    windowMs: 5.5 * MINUTE,
    nowMs: NOW,
    ...input,
  });
  return Object.fromEntries(buckets.map((b) => [(NOW - 10_000 - b.bucketStartMs) / MINUTE, `${b.arrivals}${b.complete ? '' : '?'}`]));
}
const gateway = (sinceMinutes: number, untilMinutes: number) => ({
  sinceMs: NOW - sinceMinutes * MINUTE,
  untilMs: NOW - untilMinutes * MINUTE,
});

describe('recentBuckets', () => {
  it('knows of nothing while no gateway reports', () => {
    expect(known({})).toEqual({});
  });

  it('is empty where a gateway reported without a break', () => {
    expect(known({ gateways: [gateway(90, 0)] })).toEqual({ 5: '0', 4: '0', 3: '0', 2: '0', 1: '0' });
    expect(known({ gateways: [gateway(3.5, 0)] })).toEqual({ 3: '0', 2: '0', 1: '0' });
  });

  it('is known, too, where anything arrived for anybody', () => {
    const others = new Set([counted(4, 1).bucketStartMs]);
    expect(known({ anyArrivals: others })).toEqual({ 4: '0' });
    expect(known({ counted: [counted(5, 7), counted(3, 9)] })).toEqual({ 5: '7', 3: '9' });
  });

  it('leaves out what lies before the window and what is not over', () => {
    expect(known({ counted: [counted(6, 7), counted(0, 8)], gateways: [gateway(90, 0)] })).toEqual({
      5: '0',
      4: '0',
      3: '0',
      2: '0',
      1: '0',
    });
  });

  it('has at least what is counted while requests like these are still being answered', () => {
    const slow = [5, 4, 3, 2, 1].map((ago) => counted(ago, 9, 100_000));
    expect(known({ counted: slow })).toEqual({ 5: '9', 4: '9', 3: '9', 2: '9?', 1: '9?' });
    // However slow they are, half of the window is taken for settled.
    const slower = [5, 4, 3, 2, 1].map((ago) => counted(ago, 9, 3_600_000));
    expect(known({ counted: slower })).toEqual({ 5: '9', 4: '9', 3: '9?', 2: '9?', 1: '9?' });
  });

  it('has at least what is counted since a gateway fell silent', () => {
    const arrivals = [5, 4, 3, 2, 1].map((ago) => counted(ago, 9));
    const cutOff = gateway(90, 2.5);
    expect(known({ counted: arrivals, gateways: [gateway(90, 0), cutOff] })).toEqual({ 5: '9', 4: '9', 3: '9?', 2: '9?', 1: '9?' });
    // Alone, it leaves what follows unknown.
    expect(known({ gateways: [cutOff] })).toEqual({ 5: '0', 4: '0' });
  });
});
