/** Two hosts are drained at once under streaming load: together they keep to one disruption budget, and no stream is dropped. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { livingReplicas } from '../../db/queries/replicas.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { drained } from '../support/drained.ts';
import { startLoad } from '../support/load.ts';

const HOSTS = ['h1', 'h2', 'h3', 'h4'];
let cluster: Cluster;

beforeAll(async () => {
  const { objects } = smallFleet({ replicas: { min: 3, max: 3 } });
  const [host] = objects;
  cluster = await startCluster({
    hosts: HOSTS,
    objects: [...HOSTS.map((name) => ({ ...host!, name })), ...objects.filter((o) => o.kind !== 'Host')],
    env: { UELLM_MAX_MOVING: '1' },
  });
});
afterAll(() => cluster?.close());

describe('two drains at once', () => {
  it('stay within the budget together, never fall below the minimum, and drop nothing', async () => {
    expect((await cluster.deploy(MODEL)).status).toMatchObject({ phase: 'succeeded' });
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 8, tokens: 80 });
    await delay(1000);

    let mostMoving = 0;
    let leastServing = Number.POSITIVE_INFINITY;
    let watching = true;
    const watch = (async () => {
      for (; watching; await delay(25)) {
        const now = await livingReplicas(cluster.db);
        mostMoving = Math.max(mostMoving, new Set(now.flatMap((r) => (r.move ? [r.move.id] : []))).size);
        leastServing = Math.min(leastServing, now.filter((r) => r.state === 'ready').length);
      }
    })();
    const occupied = [...new Set((await livingReplicas(cluster.db)).map((r) => r.host))].slice(0, 2);
    const there = (await livingReplicas(cluster.db)).filter((r) => occupied.includes(r.host)).length;
    await Promise.all(occupied.map((host) => cluster.api('POST', `/hosts/${host}/drain`, { deadlineSeconds: 600 })));
    const receipts = await Promise.all(occupied.map((host) => drained(cluster, host)));
    watching = false;
    await watch;
    await load.stop();

    expect(receipts.flatMap((r) => r.moved)).toHaveLength(there);
    expect(receipts.flatMap((r) => r.moved).filter((m) => occupied.includes(m.toHost ?? ''))).toEqual([]);
    expect(receipts.reduce((sum, r) => sum + r.requestsDropped + r.requestsUnknown, 0)).toBe(0);
    expect(load.failures()).toEqual([]);
    expect(mostMoving).toBe(1);
    expect(leastServing).toBeGreaterThanOrEqual(3);
    expect((await livingReplicas(cluster.db)).filter((r) => r.state === 'ready').map((r) => occupied.includes(r.host))).toEqual(
      Array(3).fill(false),
    );
  });

  it('leave their hosts out of service over restarts, and give clear answers', async () => {
    const drainedHosts = await hostsThatAre('drained');
    expect(drainedHosts).toHaveLength(2);
    await expect(cluster.api('POST', `/hosts/${drainedHosts[0]}/drain`)).rejects.toThrow('drained already');
    for (const role of ['host', 'control'] as const) {
      await cluster.killRole(role);
      await cluster.startRole(role);
    }
    await expect.poll(async () => (await hostsThatAre('alive')).length, { timeout: 30_000 }).toBe(4);
    await cluster.api('POST', '/rebalances');
    const state = async () => (await cluster.api<{ state: string }>('GET', '/rebalances/rebalance-cluster')).state;
    await expect.poll(state, { timeout: 20_000 }).toBe('completed');
    expect((await livingReplicas(cluster.db)).filter((r) => drainedHosts.includes(r.host))).toEqual([]);
    expect(await hostsThatAre('drained')).toEqual(drainedHosts);
    await cluster.api('POST', `/hosts/${drainedHosts[0]}/uncordon`);
    expect(await hostsThatAre('drained')).toEqual(drainedHosts.slice(1));
  });

  /** Names of the hosts that are in this state. */
  async function hostsThatAre(state: string): Promise<string[]> {
    const { items } = await cluster.api<{ items: { name: string; status: { service: string; liveness: string } }[] }>('GET', '/hosts');
    return items.filter((h) => h.status.service === state || h.status.liveness === state).map((h) => h.name);
  }
});
