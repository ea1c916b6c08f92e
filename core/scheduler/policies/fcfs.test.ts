import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView, runningRequests } from '../../../test/support/scheduling.ts';
import type { QueuedRequest } from '../types.ts';
import { fcfs } from './fcfs.ts';

describe('fcfs', () => {
  it('releases in the order of arrival, whatever the priority, until the replicas are full', () => {
    const queue = new Set([
      queuedRequest({ id: 'late', arrivalMs: 3, priority: 100 }),
      queuedRequest({ id: 'first', arrivalMs: 1 }),
      queuedRequest({ id: 'second', arrivalMs: 2 }),
    ]);
    const released = fcfs.schedule(queue, [replicaView({ id: 'a', maxInFlight: 2 })], 10, new Map());
    expect(released.map((a) => a.request.id)).toEqual(['first', 'second']);
    expect(released[0]?.explain()).toBe(
      'fcfs: first of the queue, after 9 ms; replica a had 0 of 2 in flight, the least for its weight among 1 with room',
    );
  });
  it('spreads over replicas and does not let a small request pass one that waits for room', () => {
    const tight = { kvCacheTokens: 2000, running: runningRequests(1), reservedKvTokens: 1500 };
    const big = queuedRequest({ id: 'big', arrivalMs: 1, inputTokens: 1000 });
    const small = queuedRequest({ id: 'small', arrivalMs: 2, inputTokens: 10 });
    expect(fcfs.schedule(new Set([big, small]), [replicaView({ id: 'a', ...tight })], 5, new Map())).toEqual([]);
    const spread = fcfs.schedule(new Set([big, small]), [replicaView({ id: 'a' }), replicaView({ id: 'b' })], 5, new Map());
    expect(spread.map((a) => a.replica.id)).toEqual(['a', 'b']);
  });
  it('answers nothing for nothing', () => {
    expect(fcfs.schedule(new Set<QueuedRequest>(), [replicaView({ id: 'a' })], 0, new Map())).toEqual([]);
    expect(fcfs.schedule(new Set([queuedRequest({ id: 'x' })]), [], 0, new Map())).toEqual([]);
  });
});
