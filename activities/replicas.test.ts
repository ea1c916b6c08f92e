import { MockActivityEnvironment } from '@temporalio/testing';
import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostSpecSchema } from '../core/domain/fleet.ts';
import { parseObject } from '../core/domain/objects.ts';
import { multiplied, type StepTimeCoefficients } from '../core/domain/step-time.ts';
import { plan } from '../core/placement/planner.ts';
import { renewLease } from '../db/queries/leases.ts';
import { stepTimeProfiles } from '../db/queries/profiler.ts';
import { loadRoutingTable } from '../db/queries/routing.ts';
import { acceleratorClaims, deployments, gatewayLeases, hosts, stepTimeProfiles as profiles, replicas } from '../db/schema/index.ts';
import type { EngineSpec } from '../engines/driver.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { type ControlActivities, createControlActivities, type RevisionEngine } from './index.ts';

let database: TestDatabase;
let activities: ControlActivities;
const db = () => database.connection.db;

beforeAll(async () => {
  database = await createTestDatabase();
  activities = createControlActivities({
    db: db(),
    now: Date.now,
    newId: () => 'id',
    plan: async (input) => plan(input),
    profileShapes: async () => [],
    recalibrateLengths: async () => {},
  });
});
afterAll(() => database.drop());

const step = { d0: 1, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 1 };
const replica = (id: string, over: Partial<typeof replicas.$inferInsert> = {}): typeof replicas.$inferInsert => ({
  ...{
    id,
    model: 'm',
    deployment: 'd',
    revision: 1,
    host: 'h1',
    accelerators: [0],
    acceleratorKind: 'L4',
    tensorParallel: 1,
    engine: 'simulated',
  },
  ...{ endpoint: 'http://127.0.0.1:1', state: 'ready', weight: 100, simulated: true, stepTime: step, kvCacheTokens: 1000 },
  ...over,
});
const lease = (gatewayId: string, routingVersion: number, inFlight: number) => ({
  ...{ gatewayId, address: 'http://127.0.0.1:1', routingVersion },
  ...{ inFlight: { r1: inFlight }, unhealthy: {} },
});

beforeEach(async () => {
  for (const table of [gatewayLeases, acceleratorClaims, replicas, hosts, profiles]) await db().delete(table);
  await db()
    .insert(hosts)
    .values({ name: 'h1', spec: hostSpecSchema.parse({ name: 'h1', accelerators: [{ kind: 'L4', count: 4 }], simulated: true }) });
});

describe('a replica that was calibrated', () => {
  const stepTime = { d0: 10, d1: 0.1, d2: 1e-4, ra: 0.01, rc: 0.02, rb: 1e-6, o: 1 };
  const slow = multiplied(stepTime, 2);
  const calibrated = async (replicaId: string, found: StepTimeCoefficients) => {
    await db()
      .insert(replicas)
      .values(replica(replicaId, { state: 'warming', weight: 0, endpoint: null, stepTime: null }));
    const spec = { replicaId, generation: 1, model: 'm', acceleratorKind: 'L4', tensorParallel: 1, kvCacheTokens: 1000, maxSequences: 8 };
    const calibration = { stepTime: found, sound: true, errorPercent: 2, kvCacheTokens: null, chat: null };
    for (let i = 0; i < 2; i++) await activities.recordServing(spec as EngineSpec, 'http://127.0.0.1:1', calibration);
    await activities.routeReplicas({ [replicaId]: 100 }, 'a test');
    const [own] = await db().select().from(replicas).where(eq(replicas.id, replicaId));
    expect(own!.stepTime).toEqual(found);
    return (await stepTimeProfiles(db()))[0];
  };

  it('gives its shape its profile, unless most of its replicas say something else', async () => {
    expect(await calibrated('p1', stepTime)).toMatchObject({ source: 'calibrated', coefficients: stepTime, replicaId: 'p1' });
    expect(await calibrated('p2', slow)).toMatchObject({ coefficients: stepTime, replicaId: 'p1' });
    expect(await calibrated('p3', slow)).toMatchObject({ coefficients: slow, replicaId: 'p3' });
  });
});

describe('retiring', () => {
  const left = { finished: 0, retried: 0, dropped: 0, open: 0, gatewaysLost: 0, unknown: 0 };

  it('waits for the gateway that is behind and for the one that is busy, and tells how the requests ended', async () => {
    await db().insert(replicas).values(replica('r1'));
    await renewLease(db(), lease('g1', 1, 2));
    await renewLease(db(), lease('g2', 1, 0));
    const unrouted = await activities.unrouteReplica('r1', 'a test');
    expect(unrouted).toMatchObject({ host: 'h1', generation: 1 });
    expect(await activities.unrouteReplica('r1', 'once more')).toEqual(unrouted);

    const beats: { open: number; gatewaysBehind: string[] }[] = [];
    const environment = new MockActivityEnvironment();
    environment.on('heartbeat', (beat: { open: number; gatewaysBehind: string[] }) => beats.push(beat));
    const waiting = environment.run(() => activities.awaitRequestsFinished('r1', unrouted, null));
    await expect.poll(() => beats.at(-1), { timeout: 5000 }).toEqual({ open: 2, gatewaysBehind: ['g1', 'g2'] });
    await renewLease(db(), lease('g2', unrouted.routingVersion, 0));
    await renewLease(db(), { ...lease('g1', unrouted.routingVersion, 1), leftover: { r1: { finished: 1, retried: 0, dropped: 0 } } });
    await expect.poll(() => beats.at(-1), { timeout: 5000 }).toEqual({ open: 1, gatewaysBehind: [] });
    await renewLease(db(), { ...lease('g1', unrouted.routingVersion, 0), leftover: { r1: { finished: 1, retried: 0, dropped: 1 } } });
    expect(await waiting).toEqual({ ...left, finished: 1, dropped: 1 });
  });

  it('waits no longer than it was told to, but for every gateway to know', async () => {
    await db().insert(replicas).values(replica('r1'));
    await renewLease(db(), lease('g1', 1, 2));
    const unrouted = await activities.unrouteReplica('r1', 'a test');
    const waiting = new MockActivityEnvironment().run(() => activities.awaitRequestsFinished('r1', unrouted, 0));
    await renewLease(db(), lease('g1', unrouted.routingVersion, 2));
    expect(await waiting).toEqual({ ...left, open: 2 });
  });

  it('counts what a gateway had open that fell silent as unknown', async () => {
    await db().insert(replicas).values(replica('r1'));
    const unrouted = await activities.unrouteReplica('r1', 'a test');
    await renewLease(db(), lease('g1', unrouted.routingVersion, 3));
    await db().update(gatewayLeases).set({ renewedAt: sql`now() - interval '10.5 s'` });
    const since = { ...unrouted, sinceMs: unrouted.sinceMs - 5000 };
    const waiting = new MockActivityEnvironment().run(() => activities.awaitRequestsFinished('r1', since, null));
    expect(await waiting).toEqual({ ...left, gatewaysLost: 1, unknown: 3 });
  });

  it('routes one that stays after all as before, and nothing else', async () => {
    await db()
      .insert(replicas)
      .values([replica('r1', { weight: 40 }), replica('ended', { state: 'stopped', endedAt: new Date() })]);
    await activities.unrouteReplica('r1', 'a test');
    for (const id of ['r1', 'r1', 'ended']) await activities.routeAsBefore(id, 'it stays');
    expect(await db().select({ state: replicas.state, weight: replicas.weight }).from(replicas).orderBy(replicas.id)).toEqual([
      { state: 'stopped', weight: 100 },
      { state: 'ready', weight: 40 },
    ]);
  });
});

describe('reloading', () => {
  const spec = { replicaId: 'r1', model: 'm', stepTime: { ...step, d0: 9 }, kvCacheTokens: 2000, maxSequences: 8 };
  const engine = (generation: number, revision: number, over: object = {}): RevisionEngine => ({
    revision,
    spec: { ...spec, generation, ...over } as EngineSpec,
  });
  const serves = { endpoint: 'http://127.0.0.1:2', chat: null };
  const routed = async () => {
    const { version, replicas } = await loadRoutingTable(db());
    return {
      version,
      replicas: replicas.map(({ revision, generation, weight, endpoint }) => ({ revision, generation, weight, endpoint })),
    };
  };

  it('changes revision and generation of a routed replica at once, with its share of the traffic', async () => {
    await db()
      .insert(replicas)
      .values(replica('r1', { weight: 40 }));
    const { version } = await routed();
    expect(await activities.recordReloaded(engine(6, 2), serves, 'revision 2 takes over')).toBe(true);
    const after = { version: version + 1, replicas: [{ revision: 2, generation: 6, weight: 40, endpoint: serves.endpoint }] };
    expect(await routed()).toEqual(after);
    expect(await activities.recordReloaded(engine(6, 2), serves, 'once more')).toBe(true);
    expect((await routed()).replicas).toEqual(after.replicas);
    const [row] = await db().select().from(replicas);
    // The same model on the same accelerators: what was measured holds.
    expect(row).toMatchObject({ stepTime: step, kvCacheTokens: 2000, maxInFlight: 8 });
    await activities.recordReloaded(engine(7, 3, { model: 'other' }), serves, 'another model');
    expect((await db().select().from(replicas))[0]).toMatchObject({ model: 'other', stepTime: spec.stepTime });
  });

  it('goes back in revision only as a later generation, and is not routed before its engine is started where that has ended', async () => {
    await db()
      .insert(replicas)
      .values(replica('r1', { generation: 6, revision: 2 }));
    expect(await activities.recordReloaded(engine(5, 1), serves, 'late')).toBe(false);
    expect(await activities.recordReloaded(engine(11, 1), null, 'back')).toBe(true);
    expect((await routed()).replicas).toEqual([]);
    await activities.beginGeneration('r1', 13, 'started anew');
    await activities.rerouteReplica('r1', 13, serves.endpoint);
    expect((await routed()).replicas).toMatchObject([{ revision: 1, generation: 13, weight: 100 }]);
  });

  it.each([{ state: 'draining' as const }, { state: 'stopped' as const, endedAt: new Date() }])(
    'leaves one alone that is %o',
    async (over) => {
      await db().insert(replicas).values(replica('r1', over));
      expect(await activities.recordReloaded(engine(6, 2), serves, 'late')).toBe(false);
      expect((await db().select().from(replicas))[0]).toMatchObject({ revision: 1, generation: 1 });
    },
  );

  it('owns its engine from before it is recorded, and ends it where its replica was given up meanwhile', async () => {
    await db().insert(replicas).values(replica('r1'));
    const running = { replicaId: 'r1', generation: 6, endpoint: '', state: 'running' as const, detail: '' };
    await activities.recordAlive('h1', []);
    expect(await activities.reconcileHost('h1', [running])).toEqual({ restore: [], orphans: [], standing: 'alive' });
    await activities.recordSilence('h1', 'lost', 'silent');
    await activities.abandonReplica('r1', 'made good');
    expect((await activities.reconcileHost('h1', [running])).orphans).toEqual([{ replicaId: 'r1', generation: 6 }]);
  });
});

describe('reconciling a host', () => {
  const running = (replicaId: string, generation: number) => ({
    replicaId,
    generation,
    endpoint: '',
    state: 'running' as const,
    detail: '',
  });
  it('restores what should run and does not, and stops what nobody owns', async () => {
    await db()
      .insert(replicas)
      .values([
        replica('serves', { generation: 3 }),
        replica('exited', { generation: 2 }),
        replica('superseded', { generation: 2 }),
        replica('starting', { state: 'starting' }),
        replica('retiring', { state: 'draining' }),
        replica('ended', { state: 'stopped', endedAt: new Date() }),
      ]);
    const engines = [
      running('serves', 3),
      { ...running('exited', 2), state: 'exited' as const },
      running('superseded', 1),
      running('ended', 1),
      running('unknown', 7),
    ];
    expect(await activities.reconcileHost('h1', engines)).toEqual({
      restore: [
        { replicaId: 'exited', generation: 3 },
        { replicaId: 'superseded', generation: 3 },
      ],
      orphans: [
        { replicaId: 'superseded', generation: 1 },
        { replicaId: 'ended', generation: 1 },
        { replicaId: 'unknown', generation: 7 },
      ],
      standing: null,
    });
  });

  it('closes what was given up while the host was lost, so that no start on its way finds its generation open', async () => {
    await db()
      .insert(replicas)
      .values([replica('gone', { generation: 3 }), replica('kept', { generation: 2 })]);
    await activities.recordAlive('h1', []);
    await activities.recordSilence('h1', 'lost', 'silent');
    await activities.abandonReplica('gone', 'made good');
    const engines = [running('gone', 3), running('kept', 2)];
    const orphan = (generation: number) => ({ restore: [], orphans: [{ replicaId: 'gone', generation }], standing: null });
    expect(await activities.reconcileHost('h1', engines)).toEqual(orphan(6));
    expect(await activities.recordAlive('h1', [{ replicaId: 'kept', generation: 2 }])).toBe('alive');
    expect(await activities.reconcileHost('h1', engines)).toEqual(orphan(3));
  });
});

describe('a deployment that was deleted', () => {
  const declare = async () => {
    const object = parseObject({ kind: 'Deployment', name: 'd', model: 'm', engine: { kind: 'simulated' } }, 'a test');
    if (object.kind === 'Deployment') await db().insert(deployments).values({ name: 'd', spec: object.spec });
  };

  it('leaves its replicas, and not those of one that was declared again by its name', async () => {
    await declare();
    await db().insert(replicas).values(replica('old'));
    await db().delete(deployments);
    expect(await activities.replicasOfDeleted('d')).toEqual([{ id: 'old', host: 'h1' }]);
    await declare();
    await db()
      .insert(replicas)
      .values(replica('new', { revision: 2 }));
    expect(await activities.replicasOfDeleted('d')).toEqual([{ id: 'old', host: 'h1' }]);
    await db().delete(deployments);
    expect((await activities.replicasOfDeleted('d')).map((r) => r.id)).toEqual(['new', 'old']);
  });
});
