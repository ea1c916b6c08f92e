/** Whatever is killed, everything goes on and ends right. One installation for all, so that it stays quick. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layoutOf } from '../../bin/up/layout.ts';
import { ROLLOUT_STAGES, type RolloutStage } from '../../core/domain/rollout.ts';
import { livingReplicas } from '../../db/queries/replicas.ts';
import { workflowIds } from '../../workflows/messages.ts';
import { type Cluster, type Role, type RolloutView, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { startLoad } from '../support/load.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(smallFleet({ rollout: { steps: [{ weight: 50, pauseSeconds: 1 }] } }));
  const first = await cluster.deploy(MODEL);
  if (first.status.phase !== 'succeeded') throw new Error(JSON.stringify(first));
});
afterAll(() => cluster?.close());

const rollout = (id: string) => cluster.api<RolloutView>('GET', `/rollouts/${id}`);

async function killAndRestart(role: Role): Promise<void> {
  await cluster.killRole(role);
  await cluster.startRole(role);
}

/** One replica serves, on accelerators that nobody else claims, and its engine runs. */
async function expectOneReplica(revision: number): Promise<void> {
  const living = await livingReplicas(cluster.db);
  expect(living.map((r) => [r.revision, r.state])).toEqual([[revision, 'ready']]);
  const health = await fetch(`${living[0]!.endpoint}/health`);
  expect(health.status).toBe(200);
}

/** Of each host: activities that ended for want of a heartbeat. */
function presenceTimeouts(): Promise<number[]> {
  const count = async (host: string) => {
    const { events } = await cluster.temporal.workflow.getHandle(workflowIds.host(host)).fetchHistory();
    return (events ?? []).filter((e) => e.activityTaskTimedOutEventAttributes).length;
  };
  return Promise.all(['h1', 'h2'].map(count));
}

describe('killed', () => {
  it('the control worker in each stage of a rollout: it goes on where it was', { timeout: 240_000 }, async () => {
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 2, tokens: 40 });
    const { id } = await cluster.api<RolloutView>('POST', `/deployments/${MODEL}/rollouts`);
    const killedIn: RolloutStage[] = [];
    for (;;) {
      const { status } = await rollout(id);
      if (status.phase === 'succeeded') break;
      expect(['running', 'paused']).toContain(status.phase);
      const running = (status.stages.find((s) => s.state === 'running')?.stage ?? status.stage) as RolloutStage;
      if (!killedIn.includes(running)) {
        killedIn.push(running);
        await killAndRestart('control');
      } else await delay(5);
    }
    await load.stop();
    expect(load.failures()).toEqual([]);
    await expectOneReplica(2);
    // `approve` is skipped for automatic approval; a stage of a few milliseconds may pass between two looks.
    const missed = ROLLOUT_STAGES.filter((s) => s !== 'approve' && !killedIn.includes(s));
    console.log(`control worker killed in ${killedIn.join(', ')}; passed unseen: ${missed.join(', ') || 'none'}`);
    expect(killedIn.length).toBeGreaterThanOrEqual(8);
  });

  it('a host worker: its engines go on serving and are adopted', { timeout: 90_000 }, async () => {
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 2, tokens: 40 });
    const [before] = await livingReplicas(cluster.db);
    const timeouts = await presenceTimeouts();
    await cluster.killRole('host');
    const served = load.finished();
    await delay(1500);
    expect(load.finished()).toBeGreaterThan(served);
    await cluster.startRole('host');
    // The heartbeats of the killed worker's presences time out: their workflows must take that.
    const more = timeouts.map((n) => n + 1);
    await expect.poll(presenceTimeouts, { timeout: 40_000, interval: 500 }).toEqual(more);
    await delay(500);
    await load.stop();
    expect(load.failures()).toEqual([]);
    expect(await livingReplicas(cluster.db)).toEqual([before]);
  });

  it('an engine: it is started again as the next generation', async () => {
    const [before] = await livingReplicas(cluster.db);
    const { endpoint } = before!;
    const port = new URL(endpoint!).port;
    killListener(Number(port));
    await expect
      .poll(async () => (await livingReplicas(cluster.db)).map((r) => [r.state, r.generation]), { timeout: 20_000 })
      .toEqual([['ready', before!.generation + 1]]);
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 1, tokens: 4 });
    await expect.poll(() => load.finished(), { timeout: 10_000 }).toBeGreaterThan(0);
    await load.stop();
  });

  it('an engine that does not start there again: another replica takes its place within the budget, and why is told', async () => {
    const [before] = await livingReplicas(cluster.db);
    // Its host cannot write what the engine is started with.
    const spec = join(layoutOf(cluster.environment.dataDir).hostDir(before!.host), 'specs', `${before!.id}.json`);
    rmSync(spec);
    mkdirSync(spec);
    killListener(Number(new URL(before!.endpoint!).port));
    await expect
      .poll(async () => (await livingReplicas(cluster.db)).map((r) => [r.id !== before!.id, r.state, r.weight]), { timeout: 40_000 })
      .toEqual([[true, 'ready', 100]]);
    const [made] = await livingReplicas(cluster.db);
    const place = (r: typeof made) => [r!.host, r!.accelerators];
    expect(place(made)).not.toEqual(place(before));
    const { items } = await cluster.api<{ items: object[] }>('GET', `/audit?kind=replicas&action=failed&name=${before!.id}`);
    const reason = expect.stringMatching(/^its engine could not be started again: .*EISDIR/);
    expect(items).toMatchObject([{ actor: 'control', action: 'failed', after: { host: before!.host, reason } }]);
  });

  it('gateway, profiler and control worker in the middle of a drain: it ends with a receipt', { timeout: 120_000 }, async () => {
    const [before] = await livingReplicas(cluster.db);
    await cluster.api('POST', `/hosts/${before!.host}/drain`);
    await delay(300);
    await Promise.all((['gateway', 'profiler', 'control'] as const).map(killAndRestart));
    await expect
      .poll(async () => (await cluster.api<{ phase: string }>('GET', `/hosts/${before!.host}/drain`)).phase, {
        timeout: 90_000,
        interval: 500,
      })
      .toBe('drained');
    const living = await livingReplicas(cluster.db);
    expect(living.map((r) => r.state)).toEqual(['ready']);
    expect(living[0]!.host).not.toBe(before!.host);
  });
});

/** SIGKILL to the process that listens on a port, as the kernel's out-of-memory killer would. */
function killListener(port: number): void {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const line = lines.find((l) => l.includes('engines/simulated/main.js') && l.includes(`--port ${port}`));
  if (!line) throw new Error(`no engine on port ${port}`);
  process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL');
}
