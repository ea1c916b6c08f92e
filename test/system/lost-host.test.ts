/** A host dies under load, with one of its two engines; the other goes on serving without its host worker. Then the host comes back. */
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { engineDrivers } from '../../bin/engine-drivers.ts';
import { endProcess, type LaunchedProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import { layoutOf } from '../../bin/up/layout.ts';
import { hostSpec } from '../../bin/up/roles.ts';
import { livingReplicas } from '../../db/queries/replicas.ts';
import { acceleratorClaims, hosts, replicas } from '../../db/schema/index.ts';
import { createEngineHost, type EngineHost } from '../../engines/host.ts';
import { until } from '../engines/support.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { startLoad } from '../support/load.ts';

/** The first by name of three hosts: where the planner packs both replicas. Its worker is a process of its own. */
const VICTIM = 'a1';

let cluster: Cluster;
let worker: LaunchedProcess | undefined;
let engines: EngineHost;

async function startWorker(): Promise<void> {
  worker = await launch(hostSpec([VICTIM], cluster.environment, layoutOf(cluster.environment.dataDir)));
  await waitUntilReady(worker);
}
const victim = async () => (await cluster.db.select().from(hosts)).find((h) => h.name === VICTIM)!;
const livingOn = async (host: string) => (await livingReplicas(cluster.db)).filter((r) => r.host === host);

beforeAll(async () => {
  const fleet = smallFleet({ replicas: { min: 2, max: 4 }, placement: { spread: 'none' } });
  const host = { kind: 'Host' as const, name: VICTIM, simulated: true, accelerators: [{ kind: 'L4', count: 2, usdPerHour: 0.5 }] };
  cluster = await startCluster({ ...fleet, objects: [host, ...fleet.objects], env: { UELLM_HOST_LOST_SECONDS: '5' } });
  const directory = layoutOf(cluster.environment.dataDir).hostDir(VICTIM);
  engines = createEngineHost({ directory, drivers: engineDrivers(cluster.environment, directory), logger: pino({ level: 'silent' }) });
  await startWorker();
  await until(async () => (await victim()).liveness === 'alive', 'the host is alive', 30_000);
  const first = await cluster.deploy(MODEL);
  if (first.status.phase !== 'succeeded') throw new Error(JSON.stringify(first));
}, 150_000);
afterAll(async () => {
  if (worker) await endProcess(worker, { signal: 'SIGTERM', graceSeconds: 5 });
  await engines?.stopAll({ graceSeconds: 2 });
  await cluster?.close();
});

it('is replaced, drops what was cut off and no more, and is cleaned before it takes work again', { timeout: 150_000 }, async () => {
  const before = await livingOn(VICTIM);
  expect(before).toHaveLength(2);
  const [killed, serving] = before.map((r) => r.id) as [string, string];
  const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 4, tokens: 150 });
  await expect.poll(() => load.finished(), { timeout: 20_000 }).toBeGreaterThan(4);
  const pid = Number(/^pid (\d+)/.exec((await engines.list()).find((e) => e.replicaId === killed)!.detail)![1]);

  process.kill(-worker!.pid, 'SIGKILL');
  process.kill(-pid, 'SIGKILL');
  await delay(3000);
  // Streams that had begun on the killed engine end with an error, one a client at most; everything else is tried elsewhere.
  const cutOff = load.failures().length;
  expect(cutOff).toBeLessThanOrEqual(4);
  const servedByThen = load.finished();

  // Suspect: out of the routing table is the engine that no gateway reaches, and no other.
  const states = async () => Object.fromEntries((await livingOn(VICTIM)).map((r) => [r.id, r.state]));
  await expect.poll(async () => (await victim()).liveness, { timeout: 30_000 }).toBe('suspect');
  await expect.poll(states, { timeout: 5000 }).toEqual({ [killed]: 'unroutable', [serving]: 'ready' });
  expect(load.finished()).toBeGreaterThan(servedByThen);

  // Lost: both are made good elsewhere.
  await expect.poll(async () => (await victim()).liveness, { timeout: 40_000 }).toBe('lost');
  await expect.poll(() => livingOn(VICTIM), { timeout: 30_000 }).toEqual([]);
  const moved = await livingReplicas(cluster.db);
  expect(moved.map((r) => [r.state, r.host === VICTIM])).toEqual([
    ['ready', false],
    ['ready', false],
  ]);
  const ended = (await cluster.db.select().from(replicas)).filter((r) => r.host === VICTIM);
  expect(ended.map((r) => [r.state, r.reason.startsWith(`host ${VICTIM} is lost`)])).toEqual([
    ['failed', true],
    ['failed', true],
  ]);
  const runningThere = async () => (await engines.list()).filter((e) => e.state === 'running').map((e) => e.replicaId);
  expect(await runningThere()).toEqual([serving]);

  // Back: what it lost the right to is ended before it takes work.
  await startWorker();
  await expect.poll(async () => (await victim()).liveness, { timeout: 30_000 }).toBe('alive');
  expect(await runningThere()).toEqual([]);
  const claims = await cluster.db.select().from(acceleratorClaims);
  expect(claims.map((c) => c.replicaId).sort()).toEqual(moved.map((r) => r.id).sort());
  await load.stop();
  expect(load.failures()).toHaveLength(cutOff);
  for (const failure of load.failures()) expect(failure).toContain('engine_failed');
  console.log(
    `${load.finished()} streams finished, ${cutOff} cut off with their engine: ${[...new Set(load.failures())].join('; ') || 'none'}`,
  );
});
