import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { RoutedReplica } from '../core/domain/routing.ts';
import { routedReplica } from '../test/support/gateway.ts';
import { queuedRequest } from '../test/support/scheduling.ts';
import { Fleet } from './fleet.ts';

const fleets: Fleet[] = [];
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.close();
});

function createFleet() {
  const told = { room: [] as string[], drained: 0, health: [] as string[], unusable: [] as string[] };
  const fleet = new Fleet(
    { connectTimeoutMs: 100, idleTimeoutMs: 100 },
    {
      onRoom: (deployment) => told.room.push(deployment),
      onDrained: () => {
        told.drained += 1;
      },
      onHealth: (replica, reason) => told.health.push(`${replica.id}: ${reason}`),
      onUnusable: (row) => told.unusable.push(row.replicaId),
    },
  );
  fleets.push(fleet);
  let version = 0;
  const apply = (replicas: RoutedReplica[], nowMs = 0) => {
    version += 1;
    fleet.apply({ version, replicas, policies: [] }, nowMs);
  };
  return { fleet, told, apply, ids: (deployment = 'chat') => fleet.eligible(deployment).map((r) => r.id) };
}

const a = routedReplica({ replicaId: 'a', endpoint: 'http://127.0.0.1:1' });
const b = routedReplica({ replicaId: 'b', endpoint: 'http://127.0.0.1:2' });
const request = (id: string) => queuedRequest({ id, inputTokens: 100, predictedOutput: { p50: 10, p90: 30 } });

const NONE = { atLeast: 0, atMost: 0 };

describe('the fleet', () => {
  it('sends to what the table has, with a weight and a usable endpoint', () => {
    const { apply, ids, told } = createFleet();
    apply([a, { ...b, weight: 0 }, { ...b, replicaId: 'c', endpoint: 'nonsense' }]);
    expect(ids()).toEqual(['a']);
    expect(told.unusable).toEqual(['c']);
    expect(told.room).toEqual(['chat']);
    apply([b]);
    expect(ids()).toEqual(['b']);
  });

  it('opens nothing on a replica that has left, counts what is open there to its end, and says when that was', () => {
    const { fleet, apply, told } = createFleet();
    apply([a, b]);
    const replica = fleet.eligible('chat')[0]!;
    const open = [fleet.open(replica, request('1')), fleet.open(replica, request('2'))];
    apply([b]);
    expect(() => fleet.open(replica, request('3'))).toThrow(/not routed/);
    expect(fleet.inFlight()).toEqual({ a: 2, b: 0 });
    open[0]!.end();
    expect(told.drained).toBe(0);
    open[1]!.end();
    open[1]!.end();
    expect(told.drained).toBe(1);
    expect(fleet.inFlight()).toEqual({ a: 0, b: 0 });
  });

  it('tells how those ended that were open on a replica when it left, and nothing of those before', () => {
    const { fleet, apply } = createFleet();
    apply([a, b]);
    const replica = fleet.eligible('chat')[0]!;
    replica.settled('finished');
    apply([b]);
    expect(fleet.leftover()).toEqual({ a: { finished: 0, retried: 0, dropped: 0 } });
    for (const as of ['finished', 'retried', 'dropped', 'finished'] as const) replica.settled(as);
    expect(fleet.leftover()).toEqual({ a: { finished: 2, retried: 1, dropped: 1 } });
    apply([a, b]);
    expect(fleet.leftover()).toEqual({});
    apply([b]);
    expect(fleet.leftover()).toEqual({ a: { finished: 0, retried: 0, dropped: 0 } });
  });

  it('tells the counts of a replica that has left for as long as anyone may ask, then forgets it', () => {
    const { fleet, apply } = createFleet();
    apply([a, b], 0);
    apply([b], 1000);
    apply([b], 600_000);
    expect(Object.keys(fleet.inFlight())).toEqual(['a', 'b']);
    apply([b], 11_000_000);
    expect(Object.keys(fleet.inFlight())).toEqual(['b']);
  });

  it('takes a replica back as it was counted, and another generation as another engine', () => {
    const { fleet, apply, ids } = createFleet();
    apply([a]);
    const replica = fleet.eligible('chat')[0]!;
    fleet.open(replica, request('1')).end();
    const first = replica.upstream;
    apply([]);
    apply([a]);
    expect(replica.finished).toBe(1);
    expect(replica.upstream).not.toBe(first);
    fleet.eject(replica, replica.upstream, 'gone');
    expect(ids()).toEqual([]);
    const ejected = replica.upstream;
    apply([{ ...a, generation: 2, endpoint: 'http://127.0.0.1:3' }]);
    expect(ids()).toEqual(['a']);
    fleet.eject(replica, ejected, 'late news of the engine before');
    expect(ids()).toEqual(['a']);
  });

  it('holds nothing of an engine against the one that follows it, and counts what ends on either', () => {
    const { fleet, apply } = createFleet();
    apply([a]);
    const replica = fleet.eligible('chat')[0]!;
    const prefix = { blocks: [1, 2], blockTokens: 40 };
    const before = fleet.open(replica, { ...request('1'), prefix });
    apply([]);
    apply([a]);
    expect([replica.load.inFlight, replica.load.prefixes.hitTokens(prefix, 100)]).toEqual([1, 80]);
    apply([{ ...a, generation: 2 }]);
    expect([replica.load.inFlight, replica.load.prefixes.hitTokens(prefix, 100)]).toEqual([0, 0]);
    const after = fleet.open(replica, request('2'));
    before.end();
    expect(replica.load.inFlight).toBe(1);
    expect([fleet.inFlight(), replica.finished]).toEqual([{ a: 1 }, 1]);
    after.end();
    expect([fleet.inFlight(), replica.finished]).toEqual([{ a: 0 }, 2]);
  });

  it('counts a request that is tried again where its last attempt is still open, as two', () => {
    const { fleet, apply } = createFleet();
    apply([a]);
    const replica = fleet.eligible('chat')[0]!;
    const again = request('1');
    const [first, second] = [fleet.open(replica, again), fleet.open(replica, again)];
    second!.produced(3);
    first!.end();
    expect(replica.load).toMatchObject({ inFlight: 1, prefilling: 0, decodeContextTokens: 103, expectedKvTokens: 110 });
    second!.end();
    expect(replica.load).toMatchObject({ inFlight: 0, decodeContextTokens: 0, expectedKvTokens: 0 });
  });

  it('says that there may be room at a first token, at an end, and when gauges are new', () => {
    const { fleet, apply, told } = createFleet();
    apply([a]);
    const replica = fleet.eligible('chat')[0]!;
    const open = fleet.open(replica, request('1'));
    told.room.length = 0;
    open.produced(1);
    open.produced(1);
    expect(told.room).toEqual(['chat']);
    open.end();
    expect(told.room).toEqual(['chat', 'chat']);
    fleet.readGauges(replica, replica.upstream, { running: 1, waiting: 2, kvCacheUsage: 0.5, kvUsage: 0.5, preemptions: null }, NONE);
    expect(told.room).toHaveLength(3);
    expect(replica.engine).toMatchObject({ running: 1, waiting: 2, kvCacheUsage: 0.5 });
  });

  it('takes the first token of an answer that comes as a whole to have come when it was predicted', async () => {
    const { fleet, apply } = createFleet();
    apply([a]);
    const replica = fleet.eligible('chat')[0]!;
    const [soon, ended] = [fleet.open(replica, request('1')), fleet.open(replica, request('2'))];
    soon!.expectFirstToken(20);
    ended!.expectFirstToken(20);
    ended!.end();
    expect(replica.load.prefilling).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(replica.load).toMatchObject({ inFlight: 1, prefilling: 0, prefillTokens: 0 });
    soon!.producedInAll(7);
    expect(replica.load.decodeContextTokens).toBe(107);
    soon!.end();
  });

  it('fills a replica as far as the table allows, and sees what its engine uses in the same measure', () => {
    const { fleet, apply } = createFleet();
    apply([{ ...a, maxInFlight: 10, kvCacheTokens: 1000 }]);
    const replica = fleet.eligible('chat')[0]!;
    fleet.readGauges(replica, replica.upstream, { running: 1, waiting: 0, kvCacheUsage: 0.3, kvUsage: 0.3, preemptions: 0 }, NONE);
    apply([{ ...a, maxInFlight: 10, kvCacheTokens: 1000, kvShare: 0.5, maxInFlightShare: 0.25 }]);
    expect(replica).toMatchObject({ maxInFlight: 2, kvCacheTokens: 500, engine: { kvCacheUsage: 0.6 }, gauges: { kvCacheUsage: 0.3 } });
    apply([{ ...a, maxInFlight: 10, kvCacheTokens: 1000, maxInFlightShare: 0.001 }]);
    expect(replica).toMatchObject({ maxInFlight: 1, kvCacheTokens: 1000, engine: { kvCacheUsage: 0.3 } });
  });

  it('tells monitoring what it reckons and what engines say, for the replicas of the table', () => {
    const { fleet, apply } = createFleet();
    apply([{ ...a, kvCacheTokens: 1000 }, b]);
    const [replica, other] = fleet.eligible('chat');
    const open = fleet.open(replica!, request('1'));
    open.produced(50);
    const said = { running: 1, waiting: 2, kvCacheUsage: 0.4, kvUsage: 0.4 };
    for (const preemptions of [5, 7, 9]) fleet.readGauges(replica!, replica!.upstream, { ...said, preemptions }, NONE);
    expect(fleet.gauges(performance.now())).toEqual({
      a: { stepTimeRatio: null, stepTimeFit: null, kvUsage: 0.4, expectedKvUsage: 0.15, preemptions: 4, running: 1, waiting: 2 },
      b: { stepTimeRatio: null, stepTimeFit: null, kvUsage: null, expectedKvUsage: 0, preemptions: 0, running: 0, waiting: 0 },
    });
    fleet.eject(replica!, replica!.upstream, 'refused');
    expect(fleet.gauges(performance.now()).a).toMatchObject({ kvUsage: null, running: 0, preemptions: 4 });
    expect(fleet.gauges(performance.now() + 61_000).a).toMatchObject({ preemptions: 0 });
    expect(other!.gauges).toBeNull();
    apply([b]);
    expect(Object.keys(fleet.gauges(0))).toEqual(['b']);
    open.end();
  });

  it('leaves out what is not well, and has room for it again once it is', () => {
    const { fleet, apply, ids, told } = createFleet();
    apply([a, b]);
    const replica = fleet.eligible('chat')[0]!;
    fleet.eject(replica, replica.upstream, 'refused');
    expect(ids()).toEqual(['b']);
    told.room.length = 0;
    fleet.markHealthy(replica, replica.upstream);
    expect(ids()).toEqual(['a', 'b']);
    expect(told.room).toEqual(['chat']);
    expect(told.health).toEqual(['a: refused', 'a: answers again']);
  });

  it('gives back all that was reserved, however requests went', () => {
    const event = fc.record({ which: fc.nat(4), kind: fc.constantFrom('produce', 'end'), tokens: fc.integer({ min: 1, max: 25 }) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const { fleet, apply } = createFleet();
        apply([a]);
        const replica = fleet.eligible('chat')[0]!;
        const open = Array.from({ length: 5 }, (_, i) => fleet.open(replica, request(String(i))));
        const { load } = replica;
        expect(load).toMatchObject({ inFlight: 5, prefilling: 5, prefillTokens: 500, outstandingDecodeTokens: 50, expectedKvTokens: 550 });
        for (const { which, kind, tokens } of events) {
          if (kind === 'end') open[which]!.end();
          else open[which]!.produced(tokens);
          expect(load.outstandingDecodeTokens).toBeGreaterThanOrEqual(0);
          expect(load.prefillTokens).toBe(100 * load.prefilling);
          const produced = [...load.running].reduce((sum, { producedTokens }) => sum + producedTokens, 0);
          expect(load.decodeContextTokens).toBe(100 * (load.inFlight - load.prefilling) + produced);
          expect(load.expectedKvTokens).toBeCloseTo(110 * load.inFlight, 9);
        }
        for (const reservation of open) reservation.end();
        expect(load).toMatchObject({
          inFlight: 0,
          prefilling: 0,
          prefillTokens: 0,
          prefillSquares: 0,
          decodeContextTokens: 0,
          outstandingDecodeTokens: 0,
          expectedKvTokens: 0,
        });
        expect(replica).toMatchObject({ inFlight: 0, finished: 5 });
      }),
    );
  });
});
