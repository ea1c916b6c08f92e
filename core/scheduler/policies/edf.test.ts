import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../../test/support/scheduling.ts';
import { edf } from './edf.ts';

describe('edf', () => {
  it('releases by priority, then by when the first token is due', () => {
    const queue = new Set([
      queuedRequest({ id: 'standard', arrivalMs: 0, targets: { ttftMs: 2000 } }),
      queuedRequest({ id: 'interactive', arrivalMs: 100, targets: { ttftMs: 500 } }),
      queuedRequest({ id: 'urgent', arrivalMs: 200, priority: 10, targets: { ttftMs: 5000 } }),
    ]);
    const released = edf.schedule(queue, [replicaView({ id: 'a', maxInFlight: 2 })], 300, new Map());
    expect(released.map((a) => a.request.id)).toEqual(['urgent', 'interactive']);
    expect(released[1]?.explain()).toContain('first token due in 300 ms');
  });
});
