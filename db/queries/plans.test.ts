import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { parseObject } from '../../core/domain/objects.ts';
import type { PlaceMove, Plan } from '../../core/domain/plan.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import { mayMove } from '../../core/placement/budget.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { acceleratorClaims, deployments, hosts, plans, replicas, rollouts } from '../schema/index.ts';
import { recordHeardOf, setHostService } from './host-states.ts';
import { abandonMoves, applyPlan, endMoves, latestAppliedPlan, loadPlan, proposedPlaces, savePlan } from './plans.ts';
import {
  endReplica,
  livingReplicas,
  loadReplica,
  recordServing,
  rerouteReplica,
  routeReplica,
  setReplicaState,
  unrouteReplica,
} from './replicas.ts';
import { endRollout } from './rollouts.ts';
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
  await db().delete(deployments);
  await db().delete(rollouts);
  await db()
    .insert(hosts)
    .values({ name: 'h1', spec: hostSpecSchema.parse({ name: 'h1', accelerators: [{ kind: 'L4', count: 4 }], simulated: true }) });
  await recordHeardOf(db(), 'h1', []);
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
  chat: { template: '{{ messages }}', bosToken: '', eosToken: '</s>' },
};

/** That these serve, by their first revision. */
async function serve(...names: string[]): Promise<void> {
  for (const name of names) {
    const object = parseObject({ kind: 'Deployment', name, model: 'm', engine: { kind: 'simulated' } }, 'a test');
    if (object.kind === 'Deployment')
      await db().insert(deployments).values({ name, spec: object.spec, latestRevision: 1, currentRevision: 1 });
  }
}

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

describe('the disruption budget', () => {
  const drain = (id: string, subject: string, ...moves: Plan['moves']): Plan => ({ ...planOf(id, ...moves), purpose: 'drain', subject });
  const move = (replicaId: string, accelerator: number, replaces: string, deployment = replaces): PlaceMove => ({
    ...{ ...place(replicaId, [accelerator]), deployment, replaces },
  });

  beforeEach(async () => {
    const h2 = hostSpecSchema.parse({ name: 'h2', accelerators: [{ kind: 'L4', count: 4 }], simulated: true });
    await db().insert(hosts).values({ name: 'h2', spec: h2, liveness: 'alive' });
    await serve('o1', 'o2', 'o3', 'o4');
    for (const [index, id] of ['o1', 'o2', 'o3', 'o4'].entries()) {
      const { kind: _, replicaId: __, ...row } = place(id, [index]);
      await db()
        .insert(replicas)
        .values({ ...row, id, deployment: id, host: 'h2', state: 'ready', weight: 100 });
    }
  });

  it('is one for all that are applied at once', async () => {
    await savePlan(db(), drain('p1', 'a', move('n1', 0, 'o1'), move('n2', 1, 'o2')), 'proposed');
    await savePlan(db(), drain('p2', 'b', move('n3', 2, 'o3'), move('n4', 3, 'o4')), 'proposed');
    const applied = await Promise.all([applyPlan(db(), 'p1', 3), applyPlan(db(), 'p2', 3)]);
    expect(applied.flatMap((a) => a.reserved)).toHaveLength(3);
    expect(applied.flatMap((a) => a.trimmed)).toMatchObject([{ on: 'disruption-budget' }]);
    expect(mayMove(await livingReplicas(db()), 3)).toBe(0);
  });

  it('is free again when moves have ended', async () => {
    await savePlan(db(), drain('p1', 'a', move('n1', 0, 'o1')), 'proposed');
    await applyPlan(db(), 'p1', 1);
    await savePlan(db(), drain('p2', 'b', move('n2', 1, 'o2')), 'proposed');
    expect((await applyPlan(db(), 'p2', 1)).reserved).toEqual([]);
    await endMoves(db(), ['n1', 'o1']);
    await savePlan(db(), drain('p3', 'b', move('n2', 1, 'o2')), 'proposed');
    expect((await applyPlan(db(), 'p3', 1)).reserved).toEqual(['n2']);
  });

  it('lets two drains not both take what one of them suffices for', async () => {
    const retire = (replicaId: string) => ({ kind: 'retire', replicaId, deployment: 'd', host: 'h2', reason: '' }) as const;
    await savePlan(db(), drain('p1', 'a', retire('o1')), 'proposed');
    await savePlan(db(), drain('p2', 'b', retire('o2')), 'proposed');
    const applied = await Promise.all([applyPlan(db(), 'p1'), applyPlan(db(), 'p2')]);
    expect(applied.flatMap((a) => a.retiring)).toHaveLength(1);
    expect(applied.flatMap((a) => a.trimmed)).toMatchObject([{ message: 'another plan for d was applied meanwhile' }]);
  });

  it('lets no replacement land on a host that is being drained too', async () => {
    await savePlan(db(), drain('p1', 'h2', move('n1', 0, 'o1')), 'proposed');
    await setHostService(db(), 'h1', 'cordoned', 'a drain');
    expect(await applyPlan(db(), 'p1')).toMatchObject({ reserved: [], trimmed: [{ on: 'drain' }] });
    expect((await loadReplica(db(), 'o1')).move).toBeNull();
  });

  describe('and a rollout that is about to end', () => {
    const status = (phase: 'succeeded' | 'rolled-back'): RolloutStatus => ({
      ...{ phase, stage: 'record', reason: '', stages: [], planId: null },
    });
    beforeEach(async () => {
      await db()
        .insert(rollouts)
        .values({ id: 'o1-r2', deployment: 'o1', revision: 2, fromRevision: 1, workflowId: 'w', status: status('succeeded') });
      await savePlan(db(), drain('p1', 'h2', move('n1', 0, 'o1')), 'proposed');
    });

    it('brings up nothing of the revision that it took the place of', async () => {
      expect(await endRollout(db(), 'o1-r2', status('succeeded'))).toEqual(['o1']);
      expect(await applyPlan(db(), 'p1')).toMatchObject({
        reserved: [],
        trimmed: [{ on: 'rollout', subject: 'n1', message: 'revision 1 of o1 is no longer the current one' }],
      });
    });

    it('tells the rollout of what it brought up just before', async () => {
      await applyPlan(db(), 'p1');
      expect(await endRollout(db(), 'o1-r2', status('succeeded'))).toEqual(['n1', 'o1']);
      expect(await endRollout(db(), 'o1-r2', status('succeeded'))).toEqual(['n1', 'o1']);
    });

    it('at the same moment, is either trimmed or told of', async () => {
      const [applied, left] = await Promise.all([applyPlan(db(), 'p1'), endRollout(db(), 'o1-r2', status('succeeded'))]);
      expect(left).toEqual([...applied.reserved, 'o1']);
    });

    it('that is rolled back leaves everything where it is', async () => {
      expect(await endRollout(db(), 'o1-r2', status('rolled-back'))).toEqual([]);
      expect(await applyPlan(db(), 'p1')).toMatchObject({ reserved: ['n1'] });
    });

    it('has ended before the next one brings up its own', async () => {
      await endRollout(db(), 'o1-r2', status('succeeded'));
      await db()
        .insert(rollouts)
        .values({ id: 'o1-r3', deployment: 'o1', revision: 3, fromRevision: 2, workflowId: 'w', status: status('succeeded') });
      expect(await endRollout(db(), 'o1-r2', status('succeeded'))).toEqual([]);
    });
  });

  it('gets back what a drain had begun that is no more, and frees what that had only reserved', async () => {
    await savePlan(db(), drain('p1', 'h2', move('n1', 0, 'o1')), 'proposed');
    await applyPlan(db(), 'p1', 1);
    await abandonMoves(db(), 'drain', 'another');
    expect(mayMove(await livingReplicas(db()), 1)).toBe(0);
    await abandonMoves(db(), 'drain', 'h2');
    expect(mayMove(await livingReplicas(db()), 1)).toBe(1);
    expect((await loadReplica(db(), 'n1')).state).toBe('failed');
    expect(await loadReplica(db(), 'o1')).toMatchObject({ state: 'ready', move: null });
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
    expect((await loadRoutingTable(db())).replicas).toMatchObject([{ chat: serving.chat }]);
    const before = (await loadRoutingTable(db())).version;
    expect((await unrouteReplica(db(), 'a', 'retired')).routingVersion).toBe(before + 1);
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

describe('proposedPlaces', () => {
  it('are those of plans for others that were made just now and are not applied yet', async () => {
    await savePlan(db(), planOf('p1', place('a', [0, 1])), 'proposed');
    await savePlan(db(), { ...planOf('p2', place('b', [2])), subject: 'other' }, 'dry-run');
    expect(await proposedPlaces(db(), 'another')).toMatchObject([{ host: 'h1', accelerators: [0, 1] }]);
    expect(await proposedPlaces(db(), 'd')).toEqual([]);
    await applyPlan(db(), 'p1');
    expect(await proposedPlaces(db(), 'another')).toEqual([]);
  });

  it('are forgotten where nobody applies them', async () => {
    await savePlan(db(), planOf('p3', place('c', [0])), 'proposed');
    await db()
      .update(plans)
      .set({ createdAt: new Date(Date.now() - 61_000) });
    expect(await proposedPlaces(db(), 'another')).toEqual([]);
  });
});
