import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../test/support/scheduling.ts';
import { UellmError } from '../domain/errors.ts';
import { DEFAULT_POLICY, SCHEDULER_POLICIES, schedulerPolicy } from './registry.ts';

describe('registry', () => {
  it('finds policies by name and names them all where it does not', () => {
    expect(schedulerPolicy(DEFAULT_POLICY).name).toBe(DEFAULT_POLICY);
    expect(() => schedulerPolicy('best')).toThrow(UellmError);
    expect(() => schedulerPolicy('best')).toThrow(/fcfs, edf, slo-odbs/);
  });

  it.each(SCHEDULER_POLICIES.map((p) => [p.name, p] as const))('%s releases each request once and within capacity', (_, policy) => {
    const queue = new Set(Array.from({ length: 1000 }, (_, i) => queuedRequest({ id: `q${i}`, arrivalMs: (i * 37) % 500 })));
    const replicas = Array.from({ length: 64 }, (_, i) => replicaView({ id: `r${i}`, maxInFlight: 8, revision: 1 + (i % 2) }));
    const released = policy.schedule(queue, replicas, 500, new Map());
    expect(new Set(released.map((a) => a.request)).size).toBe(released.length);
    expect(released).toHaveLength(512);
    for (const replica of replicas) expect(released.filter((a) => a.replica === replica).length).toBeLessThanOrEqual(8);
  });
});
