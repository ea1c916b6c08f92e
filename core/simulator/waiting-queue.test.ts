import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dequeue, enqueue, goesBefore, type Queued } from './waiting-queue.ts';

it('gives the first by priority, then arrival, after any removals from the middle', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean())), (entries) => {
      const heap: Queued[] = [];
      const items = entries.map(([priority], arrival): Queued => ({ priority, arrival, queueIndex: -1 }));
      for (const item of items) enqueue(heap, item);
      const staying = items.filter((item, i) => {
        if (entries[i]![1]) dequeue(heap, item);
        return !entries[i]![1];
      });
      const out: Queued[] = [];
      while (heap[0]) {
        out.push(heap[0]);
        dequeue(heap, heap[0]);
      }
      expect(out).toEqual(staying.toSorted((a, b) => (goesBefore(a, b) ? -1 : 1)));
      expect(items.every((item) => item.queueIndex === -1)).toBe(true);
    }),
  );
});
