import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../../test/support/scheduling.ts';
import { fcfs } from './fcfs.ts';

describe('fcfs', () => {
  it('releases in the order of arrival, whatever the priority, until the replicas are full', () => {
    const queue = [
      queuedRequest({ id: 'late', arrivalMs: 3, priority: 100 }),
      queuedRequest({ id: 'first', arrivalMs: 1, explain: true }),
      queuedRequest({ id: 'second', arrivalMs: 2 }),
    ];
    const released = releaseAll(schedulerOf(fcfs, queue), [replicaView({ id: 'a', maxInFlight: 2 })], 10);
    expect(released.map((a) => a.request.id)).toEqual(['first', 'second']);
    expect(released[0]?.explanation).toMatchObject({
      policy: 'fcfs',
      because: 'first of the queue',
      waitedMs: 9,
      replica: 'a',
      considered: [{ replica: 'a', inFlight: 0, verdict: 'chosen' }],
    });
  });
  it('keeps that order however long they have waited', () => {
    const queue = [queuedRequest({ id: 'old', queue: { maxWaitMs: 1 } }), queuedRequest({ id: 'new', arrivalMs: 2 })];
    expect(schedulerOf(fcfs, queue).next([replicaView({ id: 'a' })], 3)?.request.id).toBe('old');
  });
  it('spreads over replicas and does not let a small request pass one that waits for room', () => {
    const tight = replicaView({ id: 'a', kvCacheTokens: 2000, open: runningRequests(1, { inputTokens: 1400 }) });
    const big = queuedRequest({ id: 'big', arrivalMs: 1, inputTokens: 1000 });
    const small = queuedRequest({ id: 'small', arrivalMs: 2, inputTokens: 10 });
    expect(releaseAll(schedulerOf(fcfs, [big, small]), [tight], 5)).toEqual([]);
    const spread = releaseAll(schedulerOf(fcfs, [big, small]), [replicaView({ id: 'a' }), replicaView({ id: 'b' })], 5);
    expect(spread.map((a) => a.replica.id)).toEqual(['a', 'b']);
  });
});
