import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView, runningRequests } from '../../test/support/scheduling.ts';
import { fcfs } from './policies/fcfs.ts';
import { withRevisionShares } from './revisions.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

/** Releases one request after another, which end at once. */
function releases() {
  const scheduler = withRevisionShares<QueuedRequest, ReplicaView>(fcfs.createScheduler());
  let count = 0;
  return (replicas: ReplicaView[], times = 1, parts: Partial<Parameters<typeof queuedRequest>[0]> = {}): (string | null)[] =>
    Array.from({ length: times }, () => {
      const request = queuedRequest({ inputTokens: 10, ...parts, id: `q${count++}` });
      scheduler.enqueue(request);
      const assignment = scheduler.next(replicas, 0);
      if (!assignment) scheduler.cancel(request);
      return assignment?.replica.id ?? null;
    });
}
const full = () => runningRequests(4);
const countOf = (ids: (string | null)[], id: string) => ids.filter((other) => other === id).length;

describe('shares of revisions', () => {
  it('are exactly what the weights say', () => {
    const replicas = [
      replicaView({ id: 'old-1', weight: 47.5, revision: 1 }),
      replicaView({ id: 'old-2', weight: 47.5, revision: 1 }),
      replicaView({ id: 'new', weight: 5, revision: 2 }),
    ];
    const chosen = releases()(replicas, 200);
    expect(countOf(chosen, 'new')).toBe(10);
    expect(countOf(chosen.slice(0, 20), 'new')).toBe(1);
  });
  it('a revision without room does not catch up in a burst', () => {
    const release = releases();
    const old = replicaView({ id: 'old', weight: 50, revision: 1 });
    expect(countOf(release([old, replicaView({ id: 'new', weight: 50, revision: 2, open: full() })], 20), 'old')).toBe(20);
    expect(countOf(release([old, replicaView({ id: 'new', weight: 50, revision: 2 })], 10), 'new')).toBe(5);
  });
  it('a revision without room costs the others nothing', () => {
    const release = releases();
    const [a, b] = [replicaView({ id: 'a', weight: 75, revision: 1 }), replicaView({ id: 'b', weight: 25, revision: 2 })];
    const c = replicaView({ id: 'c', weight: 100, revision: 3, open: full() });
    const chosen = release([a, b, c], 40);
    expect(Math.abs(countOf(chosen, 'b') - 10)).toBeLessThanOrEqual(1);
    expect(countOf(chosen, 'c')).toBe(0);
  });
  it('forgets revisions that are gone', () => {
    const release = releases();
    const [a, b] = [replicaView({ id: 'a', revision: 1 }), replicaView({ id: 'b', revision: 2 })];
    expect(release([a, b])).toEqual(['a']);
    release([a], 5);
    expect(release([a, b], 3)).toEqual(['a', 'b', 'a']);
    release([a, replicaView({ id: 'c', revision: 3 })], 5);
    expect(release([a, b], 2).sort()).toEqual(['a', 'b']);
  });
  it('sends a retry to another revision rather than back to where it failed', () => {
    const [a, b] = [replicaView({ id: 'a', weight: 99, revision: 1 }), replicaView({ id: 'b', weight: 1, revision: 2 })];
    expect(countOf(releases()([a, b], 5, { avoid: ['a'] }), 'b')).toBe(5);
    expect(releases()([a, replicaView({ id: 'b', weight: 1, revision: 2, open: full() })], 1, { avoid: ['a'] })).toEqual(['a']);
    expect(releases()([a, b], 1, { avoid: ['a', 'b'] })).toEqual(['a']);
  });
  it('holds a prompt to be too long only where it is for every revision', () => {
    const small = replicaView({ id: 'small', revision: 1, kvCacheTokens: 1000 });
    const busy = replicaView({ id: 'large', revision: 2, kvCacheTokens: 4000, open: runningRequests(1, { inputTokens: 4000 }) });
    expect(releases()([small, busy], 1, { inputTokens: 2000 })).toEqual([null]);
    expect(releases()([small, replicaView({ id: 'large', revision: 2, kvCacheTokens: 4000 })], 1, { inputTokens: 2000 })).toEqual([
      'large',
    ]);
    expect(releases()([small, busy], 1, { inputTokens: 20_000 })).toEqual(['small']);
  });
  it('shows a request that asks every replica, of other revisions too', () => {
    const scheduler = withRevisionShares<QueuedRequest, ReplicaView>(fcfs.createScheduler());
    scheduler.enqueue(queuedRequest({ id: 'x', explain: true }));
    const explanation = scheduler.next([replicaView({ id: 'a', revision: 1 }), replicaView({ id: 'b', revision: 2 })], 0)?.explanation;
    expect(explanation?.considered.map((c) => [c.replica, c.verdict])).toEqual([
      ['a', 'chosen'],
      ['b', 'not its revision’s turn'],
    ]);
  });

  it('whoever has room when: releases what can go, and over any stretch in which all have room nobody has much more than its share', () => {
    const phase = fc.record({ room: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), times: fc.integer({ min: 1, max: 30 }) });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 3, maxLength: 3 }),
        fc.array(phase, { maxLength: 8 }),
        (weights, phases) => {
          const release = releases();
          const fleet = (room: boolean[]) =>
            weights.map((weight, i) => replicaView({ id: `r${i}`, weight, revision: i, open: room[i] ? [] : full() }));
          for (const { room, times } of phases) expect(release(fleet(room), times).includes(null)).toBe(!room.includes(true));
          const total = weights.reduce((a, b) => a + b, 0);
          const chosen = release(fleet([true, true, true]), 60);
          for (const [i, weight] of weights.entries()) expect(countOf(chosen, `r${i}`)).toBeLessThanOrEqual((60 * weight) / total + 3);
        },
      ),
    );
  });
});
