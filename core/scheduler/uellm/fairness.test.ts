import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../../test/support/scheduling.ts';
import { LengthFairness, lengthBucket, TenantUse } from './fairness.ts';

describe('lengths of prompt', () => {
  it('are told apart by their order of magnitude, whatever they are', () => {
    const buckets = [0, 1, 10, 100, 1000, 10_000, 1e6, 1e9, 1e300].map(lengthBucket);
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
    expect(buckets.every((bucket) => Number.isInteger(bucket) && bucket >= 0)).toBe(true);
    expect(new Set(buckets.slice(1, 7)).size).toBe(6);
    expect(lengthBucket(1000)).toBe(lengthBucket(1010));
  });
  const counted = (least: number, inTime: (i: number, bucket: number) => boolean, count = 600) => {
    const fairness = new LengthFairness(least);
    for (let i = 0; i < count; i++) for (const bucket of [1, 2]) fairness.count(bucket, inTime(i, bucket));
    return fairness;
  };
  it('are spared once they have had less than their part, and nobody else is', () => {
    const fairness = counted(0.6, (i, bucket) => bucket === 1 || i % 4 === 0);
    expect([fairness.isSpared(1), fairness.isSpared(2), fairness.isSpared(3)]).toEqual([false, true, false]);
  });
  it('are not spared where all fare badly alike, nor where fairness is off', () => {
    const badly = counted(0.6, (i) => i % 4 === 0);
    expect([badly.isSpared(1), badly.isSpared(2)]).toEqual([false, false]);
    expect(counted(0, (_, bucket) => bucket === 1).isSpared(2)).toBe(false);
  });
  it('are not judged by a few', () => {
    expect(counted(0.6, (_, bucket) => bucket === 1, 3).isSpared(2)).toBe(false);
  });
  it('are forgiven when they fare well again', () => {
    const fairness = counted(0.6, (_, bucket) => bucket === 1);
    for (let i = 0; i < 300; i++) fairness.count(2, true);
    expect(fairness.isSpared(2)).toBe(false);
  });
});

describe('tenants', () => {
  const use = (parts: { tenant: string; tenantWeight?: number; times: number }[], atMs = 0) => {
    const tenants = new TenantUse();
    for (const { tenant, tenantWeight = 1, times } of parts) {
      for (let i = 0; i < times; i++) tenants.count(queuedRequest({ id: 'r', tenant, tenantWeight }), 1, atMs);
    }
    return (tenant: string, nowMs = atMs) => tenants.excess(tenant, nowMs);
  };
  it('have had their share where there is but one', () => {
    expect(use([{ tenant: 'a', times: 100 }])('a')).toBe(1);
    expect(use([])('a')).toBe(1);
  });
  it('have had more than it, or less, by what the engines did for them', () => {
    const excess = use([
      { tenant: 'much', times: 30 },
      { tenant: 'little', times: 10 },
    ]);
    expect(excess('much')).toBeCloseTo(1.5, 6);
    expect(excess('little')).toBeCloseTo(0.5, 6);
    expect(excess('new')).toBeLessThanOrEqual(excess('little'));
  });
  it('are measured by their weights', () => {
    const excess = use([
      { tenant: 'heavy', tenantWeight: 4, times: 40 },
      { tenant: 'light', times: 10 },
    ]);
    expect(excess('heavy')).toBeCloseTo(excess('light'), 6);
  });
  it('are forgiven with time, and never held to more or less than bounds', () => {
    const excess = use([
      { tenant: 'much', times: 1000 },
      { tenant: 'little', times: 1 },
      { tenant: 'other', times: 1 },
      { tenant: 'fourth', times: 1 },
      { tenant: 'fifth', times: 1 },
    ]);
    expect(excess('much')).toBe(4);
    expect(excess('little')).toBe(0.25);
    expect(excess('much', 3_600_000)).toBeLessThanOrEqual(1);
  });
  it('count by how lately they were served: those of an hour ago are no reason to give up others', () => {
    const tenants = new TenantUse();
    const served = (tenant: string, atMs: number, times = 1) => {
      for (let i = 0; i < times; i++) tenants.count(queuedRequest({ id: 'r', tenant }), 1, atMs);
    };
    for (let i = 0; i < 200; i++) served(`gone-${i}`, i, 50);
    const nowMs = 3_600_000;
    for (let i = 0; i < 10; i++) {
      served('hog', nowMs + i, 9);
      served('small', nowMs + i);
    }
    expect(tenants.excess('hog', nowMs + 10)).toBeCloseTo(1.8, 2);
    expect(tenants.excess('small', nowMs + 10)).toBe(0.25);
  });
  it('are forgotten beyond ten thousand, those first that were served longest ago', () => {
    const tenants = new TenantUse();
    for (let i = 0; i < 12_000; i++) tenants.count(queuedRequest({ id: 'r', tenant: `t${i}` }), 1, i);
    expect(Number.isFinite(tenants.excess('t0', 30_000)) && Number.isFinite(tenants.excess('t11999', 30_000))).toBe(true);
    expect(tenants.excess('t0', 30_000)).toBe(tenants.excess('never', 30_000));
  });
});
