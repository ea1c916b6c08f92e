import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, schedulerOf } from '../../../test/support/scheduling.ts';
import { collectBatches, staticView } from '../../../test/support/static-batching.ts';
import { s3 } from './s3.ts';

const lengths = [100, 800, 300, 700, 200];
const requests = lengths.map((p50) => queuedRequest({ id: String(p50), inputTokens: 100, predictedOutput: { p50, p90: p50 } }));

describe('s3', () => {
  it.each([
    ['all fit', 1e6, [['800', '700', '300', '200', '100']]],
    [
      'two of the longest fill it',
      2000,
      [
        ['800', '700'],
        ['300', '200', '100'],
      ],
    ],
    ['the longest leaves room for nobody', 1700, [['800'], ['700', '300'], ['200', '100']]],
  ])('packs the longest predicted answers first: %s', (_, kvCacheTokens, expected) => {
    const batches = collectBatches(schedulerOf(s3, requests), [staticView({ id: 'a', kvCacheTokens })]);
    expect(batches.map((batch) => batch.map(({ id }) => id))).toEqual(expected);
  });
  it('has the same order where engines batch continuously', () => {
    const released = releaseAll(schedulerOf(s3, requests), [replicaView({ id: 'a', maxInFlight: 3 })]);
    expect(released.map(({ request }) => request.id)).toEqual(['800', '700', '300']);
  });
});
