import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../test/support/scheduling.ts';
import { inOrder } from './in-order.ts';
import { predictLatency } from './latency.ts';
import { byArrival } from './order.ts';
import { SCHEDULER_POLICIES, schedulerPolicy } from './registry.ts';
import { leastInFlight } from './room.ts';
import type { QueuedRequest } from './types.ts';

const head = queuedRequest({ id: 'head', arrivalMs: 1, inputTokens: 3000 });
const small = queuedRequest({ id: 'small', arrivalMs: 2, inputTokens: 10 });

describe('the rule of queues in order', () => {
  it('lets nobody pass a head that fits nowhere yet', () => {
    const replica = replicaView({ id: 'a', kvCacheTokens: 4000, open: runningRequests(1) });
    const scheduler = schedulerOf(schedulerPolicy('fcfs'), [head, small]);
    expect(scheduler.next([replica], 5)).toBeNull();
    expect(scheduler.size).toBe(2);
    for (const request of [...replica.load.running]) replica.load.end(request, 5, replica.stepTime);
    expect(releaseAll(scheduler, [replica], 5).map((a) => a.request.id)).toEqual(['head', 'small']);
  });
  it('lets those behind go once the head is cancelled, and cancels only what waits', () => {
    const replica = replicaView({ id: 'a', kvCacheTokens: 4000, open: runningRequests(1) });
    const scheduler = schedulerOf(schedulerPolicy('fcfs'), [head, small]);
    expect([scheduler.cancel(head), scheduler.cancel(head), scheduler.size]).toEqual([true, false, 1]);
    expect(scheduler.next([replica], 5)?.request).toBe(small);
    expect(scheduler.cancel(small)).toBe(false);
  });
  it('gives a request that comes back its old place', () => {
    const scheduler = schedulerOf(schedulerPolicy('fcfs'), [head, small]);
    const first = scheduler.next([replicaView({ id: 'a' })], 5)!;
    scheduler.enqueue(first.request);
    expect(scheduler.next([replicaView({ id: 'a' })], 5)?.request).toBe(head);
  });
  it('holds the queue while the policy admits the head nowhere', () => {
    const scheduler = inOrder<QueuedRequest, ReturnType<typeof replicaView>>({
      policy: 'picky',
      order: byArrival,
      demotes: false,
      minds: 'places',
      admits: (replica, request) => request !== head || replica.id === 'b',
      choose: leastInFlight,
      because: () => '',
    });
    for (const request of [head, small]) scheduler.enqueue(request);
    expect(scheduler.next([replicaView({ id: 'a' })], 5)).toBeNull();
    expect(scheduler.next([replicaView({ id: 'a' }), replicaView({ id: 'b' })], 5)?.replica.id).toBe('b');
  });
  it('takes nobody to a replica that does not accept', () => {
    const scheduler = schedulerOf(schedulerPolicy('fcfs'), [small]);
    expect(scheduler.next([replicaView({ id: 'a', accepting: false })], 5)).toBeNull();
    expect(scheduler.next([], 5)).toBeNull();
  });
});

describe('the explanation', () => {
  const asks = queuedRequest({ id: 'asks', arrivalMs: 100, explain: true, avoid: ['failed'], inputTokens: 2000 });
  const fleet = () => [
    replicaView({ id: 'full', open: runningRequests(4) }),
    replicaView({ id: 'tight', kvCacheTokens: 3000, open: runningRequests(1) }),
    replicaView({ id: 'failed' }),
    replicaView({ id: 'busy', open: runningRequests(2) }),
    replicaView({ id: 'free' }),
  ];
  it('says for every replica what a request would see there and what spoke against it', () => {
    const replicas = fleet();
    const predicted = replicas.map((replica) => predictLatency(replica, asks, 350));
    const { explanation, replica } = schedulerOf(schedulerPolicy('fcfs'), [asks]).next(replicas, 350)!;
    expect(replica.id).toBe('free');
    expect(explanation).toMatchObject({ policy: 'fcfs', because: 'first of the queue', replica: 'free', waitedMs: 250 });
    expect(explanation!.considered.map((c) => `${c.replica}: ${c.verdict}, ${c.inFlight}`)).toEqual([
      'full: no place, 4',
      'tight: no memory, 1',
      'failed: failed it before, 0',
      'busy: not preferred, 2',
      'free: chosen, 0',
    ]);
    for (const [i, { ttftMs, tpotMs }] of explanation!.considered.entries()) {
      expect(ttftMs).toBeCloseTo(predicted[i]!.ttftMs, 2);
      expect(tpotMs).toBeCloseTo(predicted[i]!.tpotMs, 2);
    }
  });
  it('says that a batch is closed', () => {
    const long = runningRequests(100, { predictedOutput: { p50: 100_000, p90: 100_000 }, inputTokens: 1 });
    const closed = replicaView({ id: 'closed', maxInFlight: 1000, kvCacheTokens: 1e9, open: long });
    const { explanation } = schedulerOf(schedulerPolicy('slo-odbs'), [asks]).next([closed, replicaView({ id: 'b' })], 350)!;
    expect(explanation?.considered[0]?.verdict).toBe('its batch is closed');
  });
  // uellm, s3 and morphling have tests of their own.
  it.each(SCHEDULER_POLICIES.filter(({ name }) => !['uellm', 's3', 'morphling'].includes(name)).map((p) => [p.name, p] as const))(
    'of %s names it, its reason and all replicas, and is made for those that ask only',
    (name, policy) => {
      const replicas = fleet();
      const { explanation, replica } = schedulerOf(policy, [asks]).next(replicas, 350)!;
      expect(explanation).toMatchObject({ policy: name, replica: replica.id });
      expect(explanation?.because).not.toBe('');
      expect(explanation?.considered.map((c) => c.replica)).toEqual(replicas.map((r) => r.id));
      expect(explanation?.considered.filter((c) => c.verdict === 'chosen').map((c) => c.replica)).toEqual([replica.id]);
      expect(schedulerOf(policy, [small]).next(fleet(), 350)?.explanation).toBeNull();
    },
  );
});
