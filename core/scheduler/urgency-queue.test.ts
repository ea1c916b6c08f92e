import fc from 'fast-check';
import { expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import { standing } from './admission.ts';
import { byPriority } from './order.ts';
import type { QueuedRequest } from './types.ts';
import { UrgencyQueue } from './urgency-queue.ts';

const order = byPriority((request) => request.deadlines.firstTokenMs);
const TIERS = ['aged', 'in-time', 'demoted'];

/** What `admission.ts` says of everyone, asked anew. */
function firstByStanding(waiting: readonly QueuedRequest[], nowMs: number): QueuedRequest | undefined {
  const tier = (request: QueuedRequest) => TIERS.indexOf(standing(request, nowMs, true));
  return [...waiting].sort((a, b) => tier(a) - tier(b) || order(a, b))[0];
}

it('has everyone in the tier that their wait says, through adds, deletes and passing time', () => {
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      // Some come back after a long time, as retries do.
      ageMs: fc.integer({ min: 0, max: 300 }),
      maxWaitMs: fc.integer({ min: 1, max: 60 }),
      priority: fc.integer({ min: 0, max: 2 }),
      ttftMs: fc.integer({ min: 1, max: 50 }),
    }),
    fc.record({ kind: fc.constant('delete' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 80 }) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const queue = new UrgencyQueue<QueuedRequest>(order);
      const waiting: QueuedRequest[] = [];
      let nowMs = 1000;
      const remove = (request: QueuedRequest | undefined) => {
        if (!request) return;
        expect(queue.delete(request)).toBe(true);
        expect(queue.delete(request)).toBe(false);
        waiting.splice(waiting.indexOf(request), 1);
      };
      for (const [i, action] of actions.entries()) {
        if (action.kind === 'add') {
          const { ageMs, maxWaitMs, priority, ttftMs } = action;
          const request = queuedRequest({ id: `r${i}`, arrivalMs: nowMs - ageMs, priority, queue: { maxWaitMs }, targets: { ttftMs } });
          queue.add(request);
          waiting.push(request);
        } else if (action.kind === 'delete') remove(waiting[action.which % waiting.length]);
        else if (action.kind === 'take') remove(queue.first(nowMs));
        else nowMs += action.ms;
        expect(queue.size).toBe(waiting.length);
        if (i % 2 === 0) expect(queue.first(nowMs)).toBe(firstByStanding(waiting, nowMs));
      }
    }),
    { numRuns: 200 },
  );
});
