import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../../test/support/scheduling.ts';
import { edf } from './edf.ts';

describe('edf', () => {
  it('releases by priority, then by when the first token is due', () => {
    const queue = [
      queuedRequest({ id: 'standard', arrivalMs: 0, targets: { ttftMs: 2000 } }),
      queuedRequest({ id: 'interactive', arrivalMs: 100, targets: { ttftMs: 500 }, explain: true }),
      queuedRequest({ id: 'urgent', arrivalMs: 200, priority: 10, targets: { ttftMs: 5000 } }),
    ];
    const released = releaseAll(schedulerOf(edf, queue), [replicaView({ id: 'a', maxInFlight: 2 })], 300);
    expect(released.map((a) => a.request.id)).toEqual(['urgent', 'interactive']);
    expect(released[1]?.explanation?.because).toBe('priority 0, first token due in 300 ms');
  });
  it('puts who has waited too long behind, and later before, all others', () => {
    const late = queuedRequest({ id: 'late', priority: 5, queue: { maxWaitMs: 100 } });
    const fresh = queuedRequest({ id: 'fresh', arrivalMs: 300 });
    const first = (nowMs: number) => schedulerOf(edf, [late, fresh]).next([replicaView({ id: 'a' })], nowMs)?.request.id;
    expect([100, 101, 400, 401].map(first)).toEqual(['late', 'fresh', 'fresh', 'late']);
  });
});
