import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventTimes } from './event-times.ts';

it('tells who is next among all, of equals the lower number, whatever is set', () => {
  const time = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(Number.POSITIVE_INFINITY));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.tuple(fc.nat(), time), { maxLength: 80 }), (count, sets) => {
      const events = new EventTimes(count);
      const times: number[] = new Array(count).fill(Number.POSITIVE_INFINITY);
      expect(events.time(events.first())).toBe(Number.POSITIVE_INFINITY);
      for (const [which, at] of sets) {
        events.set(which % count, at);
        times[which % count] = at;
        expect(events.first()).toBe(times.indexOf(Math.min(...times)));
        expect(times.map((_, i) => events.time(i))).toEqual(times);
      }
    }),
  );
});
