import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../test/support/scheduling.ts';
import { UellmError } from '../domain/errors.ts';
import { DEFAULT_POLICY, SCHEDULER_POLICIES, schedulerPolicy } from './registry.ts';
import { withRevisionShares } from './revisions.ts';
import type { SchedulerPolicy } from './types.ts';

/** A thousand requests of all kinds over 64 replicas with 8 places each. */
function crowd(policy: SchedulerPolicy) {
  const queue = Array.from({ length: 1000 }, (_, i) =>
    queuedRequest({
      id: `q${i}`,
      arrivalMs: (i * 37) % 500,
      inputTokens: 1 + ((i * 131) % 3000),
      priority: i % 3,
      targets: { ttftMs: 2000, tpotMs: 100 },
      prefix: i % 2 ? { blocks: [i % 5, `b${i % 10}`], blockTokens: 512 } : null,
    }),
  );
  const replicas = Array.from({ length: 64 }, (_, i) => replicaView({ id: `r${i}`, maxInFlight: 8, revision: 1 + (i % 2) }));
  return { queue, replicas, scheduler: withRevisionShares(schedulerOf(policy, queue, 7)) };
}

describe('registry', () => {
  it('finds policies by name and names them all where it does not', () => {
    expect(schedulerPolicy(DEFAULT_POLICY).name).toBe(DEFAULT_POLICY);
    expect(() => schedulerPolicy('best')).toThrow(UellmError);
    for (const { name } of SCHEDULER_POLICIES) expect(() => schedulerPolicy('best')).toThrow(new RegExp(`\\b${name}\\b`));
    expect(new Set(SCHEDULER_POLICIES.map((p) => p.name)).size).toBe(SCHEDULER_POLICIES.length);
  });

  describe.each(SCHEDULER_POLICIES.map((p) => [p.name, p] as const))('%s', (_, policy) => {
    it('releases each request once, within capacity, and the same way every time', () => {
      const runs = [crowd(policy), crowd(policy)].map(({ queue, replicas, scheduler }) => {
        const released = releaseAll(scheduler, replicas, 500);
        const ids = new Set(released.map((a) => a.request));
        expect(ids.size).toBe(released.length);
        expect(scheduler.size).toBe(1000 - released.length);
        expect(Math.max(...replicas.map((r) => r.load.inFlight))).toBeLessThanOrEqual(8);
        // What waits on is still there, and only that.
        expect(queue.filter((request) => scheduler.cancel(request) === ids.has(request))).toEqual([]);
        expect(scheduler.size).toBe(0);
        return released.map((a) => `${a.request.id}>${a.replica.id}`);
      });
      expect(runs[0]).toEqual(runs[1]);
      expect(runs[0]!.length).toBeGreaterThan(0);
    });
    it('empties its queue as what is open ends', () => {
      const { replicas, scheduler } = crowd(policy);
      let [nowMs, released] = [500, 0];
      for (let round = 0; round < 200 && scheduler.size > 0; round++) {
        released += releaseAll(scheduler, replicas, nowMs).length;
        nowMs += 1000;
        for (const { load, stepTime } of replicas) for (const request of [...load.running]) load.end(request, nowMs, stepTime);
      }
      expect(released).toBe(1000);
    });
    it('answers nothing for nothing', () => {
      const scheduler = policy.createScheduler();
      expect(scheduler.next([replicaView({ id: 'a' })], 0)).toBeNull();
      scheduler.enqueue(queuedRequest({ id: 'x' }));
      expect(scheduler.next([], 0)).toBeNull();
      expect(scheduler.size).toBe(1);
    });
  });

  // These wait for nothing but places.
  it.each([
    'round-robin',
    'least-in-flight',
    'power-of-two',
    'least-predicted-work',
    'shortest-predicted-ttft',
    'latency-headroom',
    'prefix-affinity',
    'fcfs',
    'edf',
    'sjf',
    'slo-odbs',
  ])('%s fills all places', (name) => {
    const { replicas, scheduler } = crowd(schedulerPolicy(name));
    expect(releaseAll(scheduler, replicas, 500)).toHaveLength(512);
  });
});
