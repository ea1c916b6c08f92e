import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../test/support/scheduling.ts';
import { collectBatches, staticView } from '../../test/support/static-batching.ts';
import { byBatching } from './by-batching.ts';
import { byArrival } from './order.ts';
import { createStaticQueue, paddedKvTokens } from './static-queue.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

const request = (id: string, p50 = 100) =>
  queuedRequest({ id, inputTokens: 100, predictedOutput: { p50, p90: p50 }, arrivalMs: Number(id) });
const queue = (admits: (replica: ReplicaView, request: QueuedRequest) => boolean, packs: boolean, ids: QueuedRequest[]) => {
  const scheduler = createStaticQueue({ policy: 'test', order: byArrival, admits, packs, because: () => '' });
  for (const one of ids) scheduler.enqueue(one);
  return scheduler;
};
const ids = (batches: QueuedRequest[][]) => batches.map((batch) => batch.map(({ id }) => id));
const five = [request('1'), request('2'), request('3', 900), request('4'), request('5')];
const short = (_: ReplicaView, { predictedOutput }: QueuedRequest) => predictedOutput.p50 < 500;

describe('batches of a queue', () => {
  it('are filled in order', () => {
    expect(
      ids(
        collectBatches(
          queue(() => true, false, [...five].reverse()),
          [staticView({ id: 'a', maxInFlight: 2 })],
        ),
      ),
    ).toEqual([['1', '2'], ['3', '4'], ['5']]);
  });
  it('are closed by the first that is not admitted', () => {
    expect(ids(collectBatches(queue(short, false, five), [staticView({ id: 'a' })]))).toEqual([
      ['1', '2'],
      ['3', '4', '5'],
    ]);
  });
  it('stay closed for those that would fit', () => {
    const replicas = [staticView({ id: 'a' }), staticView({ id: 'b' })];
    expect(ids(collectBatches(queue(short, false, five), replicas))).toEqual([
      ['1', '2'],
      ['3', '4', '5'],
    ]);
  });
  it('take what fits behind where the policy packs', () => {
    expect(ids(collectBatches(queue(short, true, five), [staticView({ id: 'a' })]))).toEqual([['1', '2', '4', '5'], ['3']]);
  });
  it('are not closed by who can only go alone there', () => {
    const small = staticView({ id: 'small', kvCacheTokens: 500 });
    expect(
      ids(
        collectBatches(
          queue(() => true, false, five),
          [small],
        ),
      ),
    ).toEqual([['1', '2', '4', '5'], ['3']]);
  });
  it('forget who leaves', () => {
    const scheduler = queue(() => true, false, five);
    expect(scheduler.cancel(five[1]!)).toBe(true);
    expect(scheduler.cancel(five[1]!)).toBe(false);
    expect(scheduler.size).toBe(4);
  });
  it('are counted padded to their longest prompt and answer', () => {
    const replica = staticView({
      id: 'a',
      open: [request('1', 50), queuedRequest({ id: '2', inputTokens: 300, predictedOutput: { p50: 20, p90: 20 } })],
    });
    expect(paddedKvTokens(replica, request('3', 200))).toBe(3 * (300 + 200));
  });
});

describe('one policy for both kinds of batching', () => {
  it('follows the replicas, and loses nobody when they change', () => {
    const both = byBatching(
      queue(() => true, false, []),
      () => queue(() => true, false, []),
    );
    for (const one of five) both.enqueue(one);
    const taken = [replicaView({ id: 'c' }), staticView({ id: 's' }), staticView({ id: 's2' }), replicaView({ id: 'c2' })].map(
      (replica) => both.next([replica], 0)?.request.id,
    );
    expect(taken).toEqual(['1', '2', '3', '4']);
    expect(both.size).toBe(1);
    expect(both.cancel(five[4]!)).toBe(true);
    expect(both.next([staticView({ id: 's' })], 0)).toBeNull();
  });

  it('is the continuous one for all revisions where one of them batches so', () => {
    const asked: string[] = [];
    const named = (name: string) => {
      const inner = queue(() => true, false, []);
      const enqueue = inner.enqueue.bind(inner);
      return Object.assign(inner, {
        enqueue(request: QueuedRequest) {
          asked.push(`${name} ${request.id}`);
          enqueue(request);
        },
      });
    };
    const both = byBatching(named('continuous'), () => named('static'));
    for (const one of five) both.enqueue(one);
    const all = [staticView({ id: 's', revision: 1 }), replicaView({ id: 'c', revision: 2 })];
    for (const replica of [...all, ...all]) both.next([replica], 0, all);
    expect(asked).toEqual(five.map(({ id }) => `continuous ${id}`));
  });
});
