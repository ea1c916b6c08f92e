import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../test/support/scheduling.ts';
import { fcfs } from './policies/fcfs.ts';
import { fitsMemory, hasPlace, kvTokensInUse, largestKvCacheTokens, leastInFlight, withoutAvoided } from './room.ts';
import type { ReplicaView } from './types.ts';

const request = queuedRequest({ id: 'x' });
const choose = (replicas: ReplicaView[], r = request) => schedulerOf(fcfs, [r]).next(replicas, 0)?.replica.id ?? null;

describe('places', () => {
  it.each([
    [{ maxInFlight: 2, open: runningRequests(1) }, true],
    [{ maxInFlight: 2, open: runningRequests(2) }, false],
    [{ accepting: false }, false],
  ])('%#', (parts, expected) => {
    expect(hasPlace(replicaView({ id: 'a', ...parts }))).toBe(expected);
  });
  it('never exceeds maxInFlight', () => {
    expect(choose([replicaView({ id: 'a', maxInFlight: 2, open: runningRequests(2) })])).toBeNull();
  });
});

describe('replica choice', () => {
  it('takes the least in flight for its weight', () => {
    expect(choose([replicaView({ id: 'a', open: runningRequests(2) }), replicaView({ id: 'b', open: runningRequests(1) })])).toBe('b');
    const light = replicaView({ id: 'light', weight: 10, open: runningRequests(1) });
    expect(choose([light, replicaView({ id: 'heavy', weight: 100, open: runningRequests(2) })])).toBe('heavy');
  });
  it('breaks ties by the quicker engine, then by turns', () => {
    const used = (id: string, times: number) => {
      const view = replicaView({ id });
      for (const r of runningRequests(times)) {
        view.load.open(r, 0, view.stepTime);
        view.load.end(r, 0, view.stepTime);
      }
      return view;
    };
    const slow = replicaView({ id: 'slow', stepTime: { ...replicaView({ id: '' }).stepTime, d0: 22 } });
    expect(choose([slow, used('quick', 99)])).toBe('quick');
    expect(choose([used('a', 5), used('b', 4)])).toBe('b');
    expect(leastInFlight([slow, used('quick', 1)]).id).toBe('quick');
  });
  it('avoids replicas on which the request failed, unless no other can have it', () => {
    const retried = queuedRequest({ id: 'x', avoid: ['a'] });
    expect(choose([replicaView({ id: 'a' }), replicaView({ id: 'b', open: runningRequests(3) })], retried)).toBe('b');
    expect(choose([replicaView({ id: 'a' }), replicaView({ id: 'b', open: runningRequests(4) })], retried)).toBe('a');
    expect(choose([replicaView({ id: 'a' })], retried)).toBe('a');
    expect(withoutAvoided([], retried)).toEqual([]);
  });
  it('never overfills and never lets loads drift apart', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 30 }), (loads, n) => {
        const replicas = loads.map((load, i) => replicaView({ id: `r${i}`, open: runningRequests(load) }));
        const room = loads.reduce((sum, load) => sum + 4 - load, 0);
        const queue = Array.from({ length: n }, (_, i) => queuedRequest({ id: `q${i}` }));
        const released = releaseAll(schedulerOf(fcfs, queue), replicas);
        expect(released).toHaveLength(Math.min(n, room));
        for (const { load } of replicas) expect(load.inFlight).toBeLessThanOrEqual(4);
        const grown = [...new Set(released.map((a) => a.replica.load.inFlight))];
        if (grown.length > 1) expect(Math.max(...grown) - Math.min(...grown)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('memory', () => {
  const open = () => runningRequests(1);
  it('leaves what does not fit beside the KV cache in use, ours or as the engine reports', () => {
    // What runs needs 1,100 tokens in the end, and so does the request.
    expect(choose([replicaView({ id: 'a', open: open(), kvCacheTokens: 2000 })])).toBeNull();
    expect(
      choose([replicaView({ id: 'a', open: open(), kvCacheTokens: 3000, engine: { running: 9, waiting: 0, kvCacheUsage: 0.9 } })]),
    ).toBeNull();
    expect(choose([replicaView({ id: 'a', open: open(), kvCacheTokens: 3000 })])).toBe('a');
  });
  it('counts answers that have outgrown their prediction', () => {
    const view = replicaView({ id: 'a', decoding: open(), kvCacheTokens: 3000 });
    expect(kvTokensInUse(view)).toBe(1100);
    view.load.produced(1000);
    expect(kvTokensInUse(view)).toBe(2000);
    expect(choose([view])).toBeNull();
  });
  describe('for a prompt that may be longer than the KV cache', () => {
    const busy = (id: string, kvCacheTokens: number) =>
      replicaView({ id, kvCacheTokens, open: runningRequests(1, { inputTokens: kvCacheTokens }) });
    const prompt = (inputTokens: number) => queuedRequest({ id: 'long', inputTokens });

    it('waits for an empty replica as long as the estimate may be wrong', () => {
      expect(choose([busy('a', 1000)], prompt(1500))).toBeNull();
      expect(choose([replicaView({ id: 'a', kvCacheTokens: 1000 })], prompt(1500))).toBe('a');
    });
    it('takes any replica with a free place at once when it is surely too long for all', () => {
      expect(choose([busy('a', 1000)], prompt(1501))).toBe('a');
      expect(choose([replicaView({ id: 'a', kvCacheTokens: 1000, maxInFlight: 1, open: open() })], prompt(1501))).toBeNull();
    });
    it('waits for the replica that can hold it, though a smaller one is idle', () => {
      const small = replicaView({ id: 'small', kvCacheTokens: 1000 });
      expect(choose([small, busy('large', 4000)], prompt(2000))).toBeNull();
      const large = replicaView({ id: 'large', kvCacheTokens: 4000, open: runningRequests(1, { inputTokens: 10 }) });
      expect(choose([small, large], prompt(2000))).toBe('large');
      expect(largestKvCacheTokens([small, large])).toBe(4000);
      expect(fitsMemory(small, prompt(2000), 0, 4000)).toBe(false);
    });
  });
});
