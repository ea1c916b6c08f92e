import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from './heap.ts';

type Item = { key: number; id: number };
const before = (a: Item, b: Item) => (a.key === b.key ? a.id < b.id : a.key < b.key);

it('equals a sorted list, whatever comes and leaves from the middle', () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), key: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ kind: fc.constantFrom('delete' as const, 'pop' as const), at: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const heap = new Heap(before);
      const model: Item[] = [];
      for (const [id, action] of actions.entries()) {
        if (action.kind === 'add') {
          const item = { key: action.key, id };
          heap.add(item);
          model.push(item);
          model.sort((a, b) => a.key - b.key || a.id - b.id);
        } else if (model.length > 0) {
          const at = action.kind === 'pop' ? 0 : action.at % model.length;
          const [item] = model.splice(at, 1) as [Item];
          expect(heap.has(item)).toBe(true);
          expect(heap.delete(item)).toBe(true);
          expect(heap.has(item)).toBe(false);
          expect(heap.delete(item)).toBe(false);
        }
        expect(heap.size).toBe(model.length);
        expect(heap.first()).toBe(model[0]);
        expect(new Set(heap)).toEqual(new Set(model));
      }
    }),
  );
});
