/** A host that is silent, lost, and back: what is concluded, what is routed, and whose its accelerators are. */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { acceleratorClaims, gatewayLeases, hosts, replicas } from '../schema/index.ts';
import { abandonedReplicas, abandonReplica, recordHeardOf, recordSilence, setHostService } from './host-states.ts';
import { renewLease } from './leases.ts';
import { endReplica } from './replicas.ts';
import { currentRoutingVersion, loadRoutingTable } from './routing.ts';

let database: TestDatabase;
const db = () => database.connection.db;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const STEP = { d0: 1, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 1 };

/** `count` hosts that are alive, h1 with one replica on its only accelerator. */
async function fleetOf(count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    const spec = hostSpecSchema.parse({ name: `h${i}`, accelerators: [{ kind: 'L4', count: 1 }] });
    await db().insert(hosts).values({ name: spec.name, spec });
    await recordHeardOf(db(), spec.name, []);
  }
  await db()
    .insert(replicas)
    .values({
      ...{ id: 'r1', model: 'm', deployment: 'd', revision: 1, host: 'h1', accelerators: [0], acceleratorKind: 'L4', tensorParallel: 1 },
      ...{ engine: 'vllm', endpoint: 'http://h1:1', state: 'ready', generation: 4, weight: 100, simulated: false, stepTime: STEP },
    });
  await db().insert(acceleratorClaims).values({ host: 'h1', accelerator: 0, replicaId: 'r1' });
}
const gateway = (gatewayId: string, unhealthy: Record<string, string>) =>
  renewLease(db(), { gatewayId, address: '', routingVersion: 0, inFlight: {}, leftover: {}, unhealthy });
const silence = (host: string, proposed: 'suspect' | 'lost') => recordSilence(db(), host, proposed, 'silent: heartbeat timeout');
const hostRow = async (name: string) => (await db().select().from(hosts).where(eq(hosts.name, name)))[0]!;
const replicaState = async () => (await db().select().from(replicas))[0]!.state;
const routed = async () => (await loadRoutingTable(db())).replicas.map((r) => r.replicaId);
const RUNNING = [{ replicaId: 'r1', generation: 4 }];

beforeEach(async () => {
  for (const table of [gatewayLeases, acceleratorClaims, replicas, hosts]) await db().delete(table);
});

describe('a silent host', () => {
  it('is suspect, then lost, and stays lost until it is heard of', async () => {
    await fleetOf(4);
    expect(await silence('h1', 'suspect')).toEqual({ liveness: 'suspect', together: null, replicas: 1, unrouted: [] });
    expect(await silence('h1', 'lost')).toMatchObject({ liveness: 'lost', together: null });
    expect(await silence('h1', 'suspect')).toMatchObject({ liveness: 'lost' });
    expect(await hostRow('h1')).toMatchObject({ liveness: 'lost', reason: 'silent: heartbeat timeout' });
    expect(await recordHeardOf(db(), 'h1', RUNNING)).toBe('alive');
    expect(await hostRow('h1')).toMatchObject({ liveness: 'alive', reason: '' });
    expect([await silence('nobody', 'lost'), await recordHeardOf(db(), 'nobody', [])]).toEqual([null, 'undeclared']);
  });

  it('keeps the traffic that any gateway still gets through, and all of it where no gateway says anything', async () => {
    await fleetOf(4);
    await silence('h1', 'lost');
    expect(await routed()).toEqual(['r1']);
    await gateway('g1', { r1: 'ECONNREFUSED' });
    await gateway('g2', {});
    await silence('h1', 'lost');
    expect(await routed()).toEqual(['r1']);
  });

  it('loses at once the traffic that no gateway gets through, and has it back when it is heard of with the engine running', async () => {
    await fleetOf(4);
    for (const id of ['g1', 'g2']) await gateway(id, { r1: 'ECONNREFUSED' });
    const version = await currentRoutingVersion(db());
    expect(await silence('h1', 'suspect')).toMatchObject({ liveness: 'suspect', unrouted: ['r1'] });
    expect([await routed(), await replicaState()]).toEqual([[], 'unroutable']);
    expect(await currentRoutingVersion(db())).toBe(version + 1);
    // Told again, nothing changes.
    expect(await silence('h1', 'suspect')).toMatchObject({ unrouted: [] });
    expect(await currentRoutingVersion(db())).toBe(version + 1);
    // Without its engine it is for a restore to route it again.
    await recordHeardOf(db(), 'h1', []);
    expect(await routed()).toEqual([]);
    await recordHeardOf(db(), 'h1', RUNNING);
    expect([await routed(), await replicaState()]).toEqual([['r1'], 'ready']);
  });

  it.each([
    [2, 1, 'lost'],
    [2, 2, 'suspect'],
    [3, 1, 'lost'],
    [3, 2, 'suspect'],
    [10, 3, 'lost'],
    [10, 4, 'suspect'],
  ])('of %d hosts with %d silent is %s', async (count, silent, liveness) => {
    await fleetOf(count);
    await gateway('g1', { r1: 'ECONNREFUSED' });
    for (let i = silent; i >= 1; i--) await silence(`h${i}`, 'suspect');
    const result = await silence('h1', 'lost');
    expect(result?.liveness).toBe(liveness);
    if (liveness === 'lost') return expect(result?.together).toBeNull();
    // It may be us: the alert is on the host.
    expect(result?.together).toMatchObject({ known: count, silent: expect.arrayContaining(['h1', 'h2']) });
    expect((await hostRow('h1')).reason).toMatch(
      new RegExp(`^${silent} of ${count} hosts are silent together: it may be us, nothing moves`),
    );
    // One that comes back clears its own; the others follow with their next look.
    for (let i = 2; i <= silent; i++) await recordHeardOf(db(), `h${i}`, []);
    expect((await silence('h1', 'suspect'))?.together).toBeNull();
    expect((await hostRow('h1')).reason).toBe('silent: heartbeat timeout');
  });

  it('keeps the reason of its cordon', async () => {
    await fleetOf(4);
    await setHostService(db(), 'h1', 'cordoned', 'asked for by ann');
    await silence('h1', 'lost');
    expect(await hostRow('h1')).toMatchObject({ liveness: 'lost', reason: 'asked for by ann' });
  });
});

describe('a lost host', () => {
  const claims = async () => (await db().select().from(acceleratorClaims)).length;

  it('is not the reason where a replica has ended by itself', async () => {
    await fleetOf(4);
    await endReplica(db(), 'r1', 'stopped', 'revision 2 took over');
    expect(await abandonReplica(db(), 'r1', 'drain of h1')).toBe('ended-before');
  });

  it('gives its replicas up, and no others do', async () => {
    await fleetOf(4);
    expect(await abandonReplica(db(), 'r1', 'made good')).toBe(false);
    await silence('h1', 'suspect');
    expect(await abandonReplica(db(), 'r1', 'made good')).toBe(false);
    await silence('h1', 'lost');
    expect(await abandonReplica(db(), 'r1', 'made good')).toBe('host-lost');
    expect(await abandonReplica(db(), 'r1', 'made good')).toBe('host-lost');
    expect((await db().select().from(replicas))[0]).toMatchObject({
      state: 'failed',
      reason: 'host h1 is lost; made good',
      endpoint: null,
    });
    expect([await routed(), await claims()]).toEqual([[], 0]);
  });

  it('takes work again only when the engines that it lost the right to have ended', async () => {
    await fleetOf(4);
    await silence('h1', 'lost');
    await abandonReplica(db(), 'r1', 'made good');
    expect((await abandonedReplicas(db(), 'h1')).map((r) => [r.id, r.generation])).toEqual([['r1', 4]]);
    expect(await recordHeardOf(db(), 'h1', RUNNING)).toBe('unclean');
    expect(await hostRow('h1')).toMatchObject({ liveness: 'suspect', reason: 'engines run there that nobody owns: r1, generation 4' });
    // Until then commands for it may still be on their way, too.
    expect(await abandonedReplicas(db(), 'h1')).toHaveLength(1);
    expect(await recordHeardOf(db(), 'h1', [])).toBe('alive');
    expect(await abandonedReplicas(db(), 'h1')).toEqual([]);
  });

  it('is either heard of with its replica or without: both at once come one after the other', async () => {
    await fleetOf(4);
    await silence('h1', 'lost');
    const [standing, abandoned] = await Promise.all([recordHeardOf(db(), 'h1', RUNNING), abandonReplica(db(), 'r1', 'made good')]);
    expect([
      ['alive', false],
      ['unclean', 'host-lost'],
    ]).toContainEqual([standing, abandoned]);
  });
});
