import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { byArrival, byPriority } from './order.ts';
import { PlainQueue } from './plain-queue.ts';
import type { QueuedRequest } from './types.ts';
import { UrgencyQueue } from './urgency-queue.ts';

const a = queuedRequest({ id: 'a', arrivalMs: 5 });
const b = queuedRequest({ id: 'b', arrivalMs: 5 });
const early = queuedRequest({ id: 'z', arrivalMs: 1 });
const urgent = queuedRequest({ id: 'u', arrivalMs: 9, priority: 1, targets: { ttftMs: 9000 } });
const due = (request: QueuedRequest) => request.deadlines.firstTokenMs;

describe('order', () => {
  it.each([
    ['arrival', byArrival, [urgent, b, a, early], 'zabu'],
    ['priority, due time, arrival', byPriority(due), [a, early, urgent, b], 'uzab'],
    ['the id of equals', byPriority(() => 0), [b, a], 'ab'],
  ])('by %s', (_, order, requests, expected) => {
    expect([...requests].sort(order).map((r) => r.id)).toEqual([...expected]);
  });

  it('puts aged before in time before demoted, and within them priority before deadline', () => {
    const queue = new UrgencyQueue<QueuedRequest>(byPriority(due));
    for (const request of [
      queuedRequest({ id: 'demoted', arrivalMs: 8000, priority: 1000, queue: { maxWaitMs: 1000 } }),
      queuedRequest({ id: 'late-deadline', arrivalMs: 9500, targets: { ttftMs: 5000 } }),
      queuedRequest({ id: 'soon', arrivalMs: 9600 }),
      queuedRequest({ id: 'urgent', arrivalMs: 9900, priority: 1, targets: { ttftMs: 9000 } }),
      queuedRequest({ id: 'aged', arrivalMs: 1000, queue: { maxWaitMs: 1000 } }),
    ]) {
      queue.add(request);
    }
    const order: string[] = [];
    for (let first = queue.first(10_000); first; first = queue.first(10_000)) {
      order.push(first.id);
      queue.delete(first);
    }
    expect(order).toEqual(['aged', 'urgent', 'soon', 'late-deadline', 'demoted']);
  });

  it('is not changed by waiting in a plain queue', () => {
    const queue = new PlainQueue<QueuedRequest>(byArrival);
    for (const request of [urgent, b, a]) queue.add(request);
    expect(queue.first()?.id).toBe('a');
    expect([queue.delete(a), queue.delete(a), queue.size, queue.first()?.id]).toEqual([true, false, 2, 'b']);
  });
});
