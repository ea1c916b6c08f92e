import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { collectBatches, staticView } from '../../test/support/static-batching.ts';
import { batchesStatically, createStaticBatchScheduler } from './static-batch-scheduler.ts';
import type { QueuedRequest } from './types.ts';

const requests = (count: number, parts: (i: number) => Partial<QueuedRequest> = () => ({})) =>
  Array.from({ length: count }, (_, i) => queuedRequest({ id: String(i).padStart(3, '0'), targets: { e2eMs: 200_000 }, ...parts(i) }));
function schedulerWith(queue: readonly QueuedRequest[]) {
  const scheduler = createStaticBatchScheduler();
  for (const request of queue) scheduler.enqueue(request);
  return scheduler;
}

describe('the scheduler of static batches', () => {
  it('hands out every request once, in batches that an engine takes', () => {
    const scheduler = schedulerWith(requests(57));
    const batches = collectBatches(scheduler, [staticView({ id: 'a' }), staticView({ id: 'b', maxInFlight: 8 })]);
    expect(new Set(batches.flat()).size).toBe(57);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(10);
    expect(scheduler.size).toBe(0);
  });
  it('gives nothing to an engine at work, nor to one whose batch is complete', () => {
    const scheduler = schedulerWith(requests(30));
    const busy = staticView({ id: 'busy', accepting: false });
    expect(scheduler.next([busy], 0)).toBeNull();
    const begun = staticView({ id: 'begun', open: requests(1, () => ({ id: 'other' })) });
    expect(scheduler.next([begun], 0)).toBeNull();
    expect(scheduler.size).toBe(30);
  });
  it('forgets who leaves, also out of a batch that is being handed out', () => {
    const [first, second, third] = requests(3) as [QueuedRequest, QueuedRequest, QueuedRequest];
    const scheduler = schedulerWith([first, second, third]);
    const replica = staticView({ id: 'a' });
    const taken = scheduler.next([replica], 0)!.request;
    replica.load.open(taken, 0, replica.stepTime);
    const [leaving, staying] = [first, second, third].filter((request) => request !== taken) as [QueuedRequest, QueuedRequest];
    expect(scheduler.cancel(leaving)).toBe(true);
    expect(scheduler.cancel(leaving)).toBe(false);
    expect(scheduler.cancel(taken)).toBe(false);
    expect(scheduler.next([replica], 0)?.request).toBe(staying);
    expect(scheduler.next([replica], 0)).toBeNull();
  });
  it('takes a batch back when its engine is gone before it was handed out', () => {
    const scheduler = schedulerWith(requests(5));
    const gone = staticView({ id: 'gone' });
    scheduler.next([gone], 0);
    expect(scheduler.next([], 0)).toBeNull();
    expect(collectBatches(scheduler, [staticView({ id: 'b' })]).flat()).toHaveLength(4);
  });
  it('does not keep waiting for ever what can only come late', () => {
    const hopeless = queuedRequest({ id: 'hopeless', targets: { e2eMs: 1 }, queue: { maxWaitMs: 1000 } });
    const scheduler = schedulerWith([hopeless, ...requests(50)]);
    const replica = staticView({ id: 'a' });
    const batches = collectBatches(scheduler, [replica], 5000);
    expect(batches.slice(0, 2).flat()).toContain(hopeless);
  });
  it('avoids a replica on which all of a batch has failed while there is another', () => {
    const failed = requests(1).map((request) => ({ ...request, avoid: new Set(['a']) }));
    const replicas = [staticView({ id: 'a' }), staticView({ id: 'b' })];
    expect(schedulerWith(failed).next(replicas, 0)?.replica.id).toBe('b');
    expect(schedulerWith(failed).next(replicas.slice(0, 1), 0)?.replica.id).toBe('a');
  });
  it('explains itself to who asks', () => {
    const scheduler = schedulerWith(requests(3, () => ({ explain: true, predictedOutput: { p50: 100, p90: 100 } })));
    const atWork = staticView({ id: 'b', accepting: false, open: requests(1, () => ({ id: 'other' })) });
    const { explanation } = scheduler.next([staticView({ id: 'a' }), atWork], 0)!;
    expect(explanation?.because).toBe('planned with 2 more, due in 200000 ms');
    expect(explanation?.considered.map(({ verdict }) => verdict)).toEqual(['chosen', 'at work']);
  });
  it('knows static replicas by what they say', () => {
    expect(batchesStatically(staticView({ id: 'a' }))).toBe(true);
    expect(batchesStatically({ ...staticView({ id: 'a' }), batching: 'continuous' })).toBe(false);
  });
});

describe('a long queue', () => {
  it('is planned in part, what is late already last', () => {
    const late = requests(600, () => ({ deadlines: { firstTokenMs: 0, endMs: 1 } })).map((request) => ({
      ...request,
      id: `late-${request.id}`,
    }));
    const urgent = requests(30, () => ({ deadlines: { firstTokenMs: 0, endMs: 15_000 } }));
    const scheduler = schedulerWith([...late, ...urgent]);
    const replica = staticView({ id: 'a' });
    const first = scheduler.next([replica], 1000)!.request;
    expect(first.id).not.toContain('late');
    expect(scheduler.size).toBe(629);
  });
});
