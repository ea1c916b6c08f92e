import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView, runningRequests } from '../../test/support/scheduling.ts';
import { chooseSlot, openRound, take } from './round.ts';
import type { Shares } from './types.ts';

const request = queuedRequest({ id: 'x' });
const choose = (replicas: Parameters<typeof openRound>[0], r = request, shares: Shares = new Map()) =>
  chooseSlot(openRound(replicas), r, shares)?.replica.id ?? null;

describe('replica choice', () => {
  it('takes the least in flight', () => {
    expect(choose([replicaView({ id: 'a', running: runningRequests(2) }), replicaView({ id: 'b', running: runningRequests(1) })])).toBe(
      'b',
    );
  });
  it('breaks ties by the quicker engine, then by turns', () => {
    const slow = replicaView({ id: 'slow', stepTime: { ...replicaView({ id: '' }).stepTime, d0: 22 } });
    expect(choose([slow, replicaView({ id: 'quick', started: 99 })])).toBe('quick');
    expect(choose([replicaView({ id: 'a', started: 5 }), replicaView({ id: 'b', started: 4 })])).toBe('b');
  });
  it('never exceeds maxInFlight', () => {
    expect(choose([replicaView({ id: 'a', maxInFlight: 2, running: runningRequests(2) })])).toBeNull();
  });
  it('leaves what does not fit beside the KV cache in use, ours or as the engine reports', () => {
    const running = runningRequests(1);
    expect(choose([replicaView({ id: 'a', running, kvCacheTokens: 2000, reservedKvTokens: 1100 })])).toBeNull();
    expect(
      choose([replicaView({ id: 'a', running, kvCacheTokens: 2000, engine: { running: 9, waiting: 0, kvCacheUsage: 0.9 } })]),
    ).toBeNull();
    expect(choose([replicaView({ id: 'a', running, kvCacheTokens: 3000, reservedKvTokens: 1100 })])).toBe('a');
  });
  describe('for a prompt that may be longer than the KV cache', () => {
    const busy = (id: string, kvCacheTokens: number) =>
      replicaView({ id, kvCacheTokens, running: runningRequests(1), reservedKvTokens: kvCacheTokens });
    const prompt = (inputTokens: number) => queuedRequest({ id: 'long', inputTokens });

    it('waits for an empty replica as long as the estimate may be wrong', () => {
      expect(choose([busy('a', 1000)], prompt(1500))).toBeNull();
      expect(choose([replicaView({ id: 'a', kvCacheTokens: 1000 })], prompt(1500))).toBe('a');
    });
    it('takes any replica with a free place at once when it is surely too long for all', () => {
      expect(choose([busy('a', 1000)], prompt(1501))).toBe('a');
      expect(choose([replicaView({ id: 'a', kvCacheTokens: 1000, maxInFlight: 1, running: runningRequests(1) })], prompt(1501))).toBeNull();
    });
    it('waits for the replica that can hold it, though a smaller one is idle', () => {
      const small = replicaView({ id: 'small', kvCacheTokens: 1000 });
      expect(choose([small, busy('large', 4000)], prompt(2000))).toBeNull();
      expect(choose([small, replicaView({ id: 'large', kvCacheTokens: 4000, running: runningRequests(1) })], prompt(2000))).toBe('large');
    });
  });
  it('avoids replicas on which the request failed, unless no other can have it', () => {
    const retried = queuedRequest({ id: 'x', avoid: ['a'] });
    expect(choose([replicaView({ id: 'a' }), replicaView({ id: 'b', running: runningRequests(3) })], retried)).toBe('b');
    expect(choose([replicaView({ id: 'a' })], retried)).toBe('a');
  });

  it('gives revisions exactly their shares', () => {
    const shares: Shares = new Map();
    const replicas = [
      replicaView({ id: 'old-1', weight: 47.5, revision: 1 }),
      replicaView({ id: 'old-2', weight: 47.5, revision: 1 }),
      replicaView({ id: 'new', weight: 5, revision: 2 }),
    ];
    const chosen = Array.from({ length: 200 }, () => choose(replicas, request, shares));
    expect(chosen.filter((id) => id === 'new')).toHaveLength(10);
    expect(chosen.slice(0, 20).filter((id) => id === 'new')).toHaveLength(1);
  });
  it('lets a revision without room earn nothing, so that it does not catch up in a burst', () => {
    const shares: Shares = new Map();
    const full = replicaView({ id: 'new', weight: 50, revision: 2, running: runningRequests(4) });
    const old = replicaView({ id: 'old', weight: 50, revision: 1 });
    for (let i = 0; i < 20; i++) expect(choose([old, full], request, shares)).toBe('old');
    const after = Array.from({ length: 10 }, () => choose([old, replicaView({ id: 'new', weight: 50, revision: 2 })], request, shares));
    expect(after.filter((id) => id === 'new')).toHaveLength(5);
  });
  it('forgets revisions that are gone', () => {
    const shares: Shares = new Map([[7, 3]]);
    choose([replicaView({ id: 'a', revision: 1 }), replicaView({ id: 'b', revision: 2 })], request, shares);
    expect([...shares.keys()]).toEqual([1, 2]);
  });

  it('within a round, never overfills and never lets loads drift apart', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 30 }), (loads, n) => {
        const replicas = loads.map((load, i) => replicaView({ id: `r${i}`, running: runningRequests(load) }));
        const round = openRound(replicas);
        let taken = 0;
        for (let i = 0; i < n; i++) {
          const slot = chooseSlot(round, request, new Map());
          if (!slot) continue;
          take(slot, request);
          taken += 1;
        }
        expect(taken).toBe(Math.min(n, round.room));
        for (const slot of round.slots) expect(slot.inFlight).toBeLessThanOrEqual(4);
        const grown = round.slots.filter((s) => s.taken.length > 0).map((s) => s.inFlight);
        if (grown.length > 1) expect(Math.max(...grown) - Math.min(...grown)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
