import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../test/support/scheduling.ts';
import { uellm } from './policies/uellm.ts';

describe('a request that its only large replica has failed', () => {
  const large = replicaView({ id: 'large', maxInFlight: 256, kvCacheTokens: 8000 });
  const small = replicaView({ id: 'small', maxInFlight: 256, kvCacheTokens: 1600 });
  const ask = (avoid: string[], nowMs: number) => {
    const scheduler = uellm.createScheduler();
    scheduler.enqueue(queuedRequest({ id: 'long', inputTokens: 3000, avoid: new Set(avoid), targets: { ttftMs: 500 } }));
    return scheduler.next([large, small], nowMs)?.replica.id;
  };

  it('goes there again, in time or long demoted, and does not wait for ever for one that cannot hold it', () => {
    expect(ask(['large'], 0)).toBe('large');
    expect(ask(['large'], 10_000_000)).toBe('large');
  });
});
