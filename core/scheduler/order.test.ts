import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { byArrival, byUrgency, firstInOrder } from './order.ts';

describe('order', () => {
  it('is the first of the sorted queue, whatever the limit', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 80 }), fc.integer({ min: 1, max: 90 }), (arrivals, limit) => {
        const queue = new Set(arrivals.map((arrivalMs, i) => queuedRequest({ id: `r${i}`, arrivalMs })));
        expect(firstInOrder(queue, byArrival, limit)).toEqual([...queue].sort(byArrival).slice(0, limit));
      }),
    );
  });

  it('puts aged before in time before demoted, and within them priority before deadline', () => {
    const nowMs = 10_000;
    const queue = new Set([
      queuedRequest({ id: 'demoted', arrivalMs: 8000, priority: 1000, queue: { maxWaitMs: 1000 } }),
      queuedRequest({ id: 'late-deadline', arrivalMs: 9500, targets: { ttftMs: 5000 } }),
      queuedRequest({ id: 'soon', arrivalMs: 9600 }),
      queuedRequest({ id: 'urgent', arrivalMs: 9900, priority: 1, targets: { ttftMs: 9000 } }),
      queuedRequest({ id: 'aged', arrivalMs: 1000, queue: { maxWaitMs: 1000 } }),
    ]);
    const order = byUrgency(nowMs, (r) => r.deadlines.firstTokenMs);
    expect(firstInOrder(queue, order, 9).map((r) => r.id)).toEqual(['aged', 'urgent', 'soon', 'late-deadline', 'demoted']);
  });
});
