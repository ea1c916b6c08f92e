import { expect, it } from 'vitest';
import { queuedRequest, replicaView, runningRequests } from '../../../test/support/scheduling.ts';
import { ReplicaLoad } from '../load.ts';
import { uellm } from '../policies/uellm.ts';
import type { ReplicaView } from '../types.ts';

it('an engine that is started anew is looked at by its own load, not by that of the one before', () => {
  const scheduler = uellm.createScheduler();
  const replica: ReplicaView & { load: ReplicaLoad } = replicaView({ id: 'r', maxInFlight: 256, kvCacheTokens: 20_000 });
  const ask = (id: string, nowMs: number) => {
    scheduler.enqueue(queuedRequest({ id, arrivalMs: nowMs, inputTokens: 3000, targets: { ttftMs: 5000 } }));
    return scheduler.next([replica], nowMs)?.request.id;
  };
  expect(ask('first', 0)).toBe('first');
  replica.load = new ReplicaLoad(20_000);
  for (const request of runningRequests(6, { inputTokens: 3000 })) {
    replica.load.open(request, 10, replica.stepTime);
    replica.load.firstToken(request, 10, replica.stepTime);
  }
  expect(ask('too much', 20)).toBeUndefined();
});
