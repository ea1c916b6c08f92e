import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, OPERATION_KINDS, planChaos } from './schedule.ts';

const options = { seed: 1, forMs: 1_800_000, faults: 100, longestCutMs: 20_000 };

describe('planChaos', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planChaos(options)).toEqual(planChaos(options));
    expect(planChaos({ ...options, seed: 2 })).not.toEqual(planChaos(options));
  });

  it('has as many faults as asked for, in order and in time, every kind as often as any other', () => {
    const { faults, operations } = planChaos(options);
    expect(faults).toHaveLength(100);
    for (const list of [faults, operations]) {
      expect(list.map((p) => p.atMs)).toEqual(list.map((p) => p.atMs).toSorted((a, b) => a - b));
      expect(list.every((p) => p.atMs >= 0 && p.atMs <= options.forMs && p.draw >= 0 && p.draw < 1)).toBe(true);
    }
    for (const kind of FAULT_KINDS) expect([11, 12]).toContain(faults.filter((f) => f.kind === kind).length);
    for (const kind of OPERATION_KINDS) expect(operations.filter((o) => o.kind === kind).length).toBeGreaterThan(20);
  });

  it('has every kind in a short run as well, and cuts no longer than allowed', () => {
    const { faults } = planChaos({ ...options, faults: 9, forMs: 30_000, longestCutMs: 6000 });
    expect(new Set(faults.map((f) => f.kind)).size).toBe(9);
    expect(faults.find((f) => f.kind === 'cut-host')!.lastsMs).toBeLessThanOrEqual(6000);
  });
});
