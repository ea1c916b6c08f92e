import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../../test/support/scheduling.ts';
import { collectBatches, staticView } from '../../../test/support/static-batching.ts';
import { morphling } from './morphling.ts';

const requests = [3, 1, 2, 5, 4].map((at) =>
  queuedRequest({ id: String(at), arrivalMs: at, targets: { ttftMs: 1000 / at }, inputTokens: 900 }),
);

describe('morphling', () => {
  it('fills batches of a fixed size in the order of arrival, whatever the SLO and the memory', () => {
    const batches = collectBatches(schedulerOf(morphling, requests), [staticView({ id: 'a', maxInFlight: 2, kvCacheTokens: 1000 })]);
    expect(batches.map((batch) => batch.map(({ id }) => id))).toEqual([['1', '2'], ['3', '4'], ['5']]);
  });
  it('does so where engines batch continuously', () => {
    const released = releaseAll(schedulerOf(morphling, requests), [replicaView({ id: 'a', maxInFlight: 3, kvCacheTokens: 1000 })]);
    expect(released.map(({ request }) => request.id)).toEqual(['1', '2', '3']);
  });
});
