import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import type { PlaceMove, Plan } from '../../core/domain/plan.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { acceleratorClaims, hosts, plans, replicas } from '../schema/index.ts';
import { recordLiveness, setHostService } from './host-states.ts';
import { applyPlan, latestAppliedPlan, loadPlan, savePlan } from './plans.ts';
import { endReplica, loadReplica, recordServing, rerouteReplica, routeReplica, setReplicaState, unrouteReplica } from './replicas.ts';
import { loadRoutingTable } from './routing.ts';

let database: TestDatabase;
const db = () => database.connection.db;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await db().delete(acceleratorClaims);
  await db().delete(replicas);
  await db().delete(plans);
  await db().delete(hosts);
  await db()
    .insert(hosts)
    .values({ name: 'h1', spec: hostSpecSchema.parse({ name: 'h1', accelerators: [{ kind: 'L4', count: 4 }], simulated: true }) });
  await recordLiveness(db(), 'h1', 'alive', '');
});

const place = (replicaId: string, accelerators: number[]): PlaceMove => ({
  kind: 'place',
  replicaId,
  deployment: 'd',
  revision: 1,
  model: 'm',
  engine: 'simulated',
  host: 'h1',
  accelerators,
  acceleratorKind: 'L4',
  tensorParallel: accelerators.length,
  simulated: true,
  capacityRequestsPerSecond: 1,
  reason: 'a test',
});
const planOf = (id: string, ...moves: Plan['moves']): Plan => ({
  id,
  purpose: 'deploy',
  subject: 'd',
  basedOn: null,
  moves,
  report: { summary: '', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null },
});
const serving = {
  generation: 1,
  endpoint: 'http://127.0.0.1:1',
  stepTime: { d0: 1, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 1 },
  kvCacheTokens: 1000,
  maxInFlight: 8,
};

describe('applyPlan', () => {
  it('reserves accelerators, and applied again gives the same answer', async () => {
    await savePlan(db(), planOf('p1', place('a', [0, 1]), place('b', [2])), 'proposed');
    const first = await applyPlan(db(), 'p1');
    expect(first).toEqual({ reserved: ['a', 'b'], retiring: [], trimmed: [] });
    expect(await applyPlan(db(), 'p1')).toEqual(first);
    expect(await db().select().from(acceleratorClaims)).toHaveLength(3);
    expect(await latestAppliedPlan(db())).toBe('p1');
  });

  it('trims what another plan took meanwhile, with the reason', async () => {
    await savePlan(db(), planOf('p1', place('a', [0, 1])), 'proposed');
    await savePlan(db(), planOf('p2', place('b', [1, 2]), place('c', [3])), 'proposed');
    await applyPlan(db(), 'p1');
    const second = await applyPlan(db(), 'p2');
    expect(second.reserved).toEqual(['c']);
    expect(second.trimmed).toMatchObject([{ on: 'accelerators', subject: 'b' }]);
    expect((await loadPlan(db(), 'p2')).state).toBe('trimmed');
  });

  it('lets two plans that are applied at once share no accelerator', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `p${i}`);
    for (const id of ids) await savePlan(db(), planOf(id, place(`r-${id}`, [0, 1, 2])), 'proposed');
    const applied = await Promise.all(ids.map((id) => applyPlan(db(), id)));
    expect(applied.flatMap((a) => a.reserved)).toHaveLength(1);
    expect(await db().select().from(acceleratorClaims)).toHaveLength(3);
  });

  it('places nothing on a host that was cordoned after planning', async () => {
    await savePlan(db(), planOf('p1', place('a', [0])), 'proposed');
    await setHostService(db(), 'h1', 'cordoned', 'maintenance');
    expect((await applyPlan(db(), 'p1')).trimmed).toMatchObject([{ on: 'drain' }]);
  });
});

describe('a replica', () => {
  beforeEach(async () => {
    await savePlan(db(), planOf('p1', place('a', [0])), 'proposed');
    await applyPlan(db(), 'p1');
  });
  const routed = async () => (await loadRoutingTable(db())).replicas.map((r) => [r.replicaId, r.weight]);

  it('is routed from promotion to retirement, and every change raises the version', async () => {
    await setReplicaState(db(), 'a', 'starting', '');
    await recordServing(db(), 'a', serving);
    expect(await routed()).toEqual([]);
    await routeReplica(db(), 'a', 100, 'promoted');
    expect(await routed()).toEqual([['a', 100]]);
    const before = (await loadRoutingTable(db())).version;
    expect(await unrouteReplica(db(), 'a', 'retired')).toBe(before + 1);
    expect(await routed()).toEqual([]);
  });

  it('frees its accelerators when it ends, and nothing brings it back', async () => {
    await endReplica(db(), 'a', 'stopped', 'done');
    expect(await db().select().from(acceleratorClaims)).toEqual([]);
    await routeReplica(db(), 'a', 100, 'too late');
    await rerouteReplica(db(), 'a', 1, 'http://127.0.0.1:2');
    await endReplica(db(), 'a', 'failed', 'again');
    expect(await loadReplica(db(), 'a')).toMatchObject({ state: 'stopped', reason: 'done', endpoint: null });
  });
});
