/**
 * A pilot on the real thing, from shadow to auto, with every role a process of its own: what gateways schedule by changes without a restart;
 * what the planner would do is noted, then waits for an operator, then is done. The control worker is dead while the operator decides.
 */
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ListOf, PilotReport, ProposalResource, Rebalance } from '../../api/schema/index.ts';
import { revisions } from '../../db/schema/index.ts';
import { runCli } from '../support/cli.ts';
import { type Cluster, readyReplicas, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { startLoad } from '../support/load.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(smallFleet({ mode: 'shadow' }));
});
afterAll(() => cluster?.close());

async function uellm<T>(...args: string[]): Promise<T> {
  const env = { UELLM_API_URL: `http://127.0.0.1:${cluster.environment.ports.api}` };
  const { out, err, exitCode } = await runCli([...args, '--json'], { fetch, env });
  expect([err, exitCode]).toEqual(['', 0]);
  return JSON.parse(out) as T;
}

/** What serves is planned for as its revision says: the planner is to have so many replicas. */
async function want(replicas: number): Promise<void> {
  const [revision] = await cluster.db.select().from(revisions);
  const spec = { ...revision!.spec, replicas: { min: replicas, max: replicas } };
  await cluster.db.update(revisions).set({ spec }).where(eq(revisions.number, revision!.number));
}

async function rebalance(): Promise<NonNullable<Rebalance['result']>> {
  await cluster.api('POST', '/rebalances');
  const now = () => cluster.api<Rebalance>('GET', '/rebalances/rebalance-cluster');
  await expect.poll(async () => (await now()).state, { timeout: 40_000 }).toBe('completed');
  return (await now()).result!;
}

const proposals = async () => (await uellm<ListOf<ProposalResource>>('get', 'proposals')).items;
const serving = async () => (await readyReplicas(cluster)).length;

interface GatewayStats {
  deployments: { name: string; policy: string }[];
}
async function policy(): Promise<string | undefined> {
  const stats = (await (await fetch(`${cluster.gatewayUrl}/uellm/stats`)).json()) as GatewayStats;
  return stats.deployments.find(({ name }) => name === MODEL)?.policy;
}

it('goes from shadow by way of advise to auto', { timeout: 240_000 }, async () => {
  // A rollout that an operator asks for works in every mode.
  expect((await cluster.deploy(MODEL)).status).toMatchObject({ phase: 'succeeded' });
  await expect.poll(policy, { timeout: 10_000 }).toBe('least-in-flight');
  await want(2);
  const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 4, tokens: 20 });
  await expect.poll(load.finished, { timeout: 30_000 }).toBeGreaterThan(20);
  await load.stop();

  expect(await rebalance()).toMatchObject({
    outcome: 'skipped',
    reason: expect.stringContaining('skipped: the deployment is in shadow mode'),
  });
  expect(await proposals()).toMatchObject([{ state: 'noted', moves: [{ kind: 'place' }] }]);
  await expect
    .poll(async () => (await uellm<PilotReport>('pilot', 'report', MODEL, '--hours', '1')).observed, { timeout: 20_000 })
    .toBeGreaterThan(20);
  const report = await uellm<PilotReport>('pilot', 'report', MODEL, '--hours', '1');
  expect(report).toMatchObject({ mode: 'shadow', policies: [{ policy: 'relaxed', suffices: false, wouldBe: expect.any(Number) }] });
  expect(report.money).toMatchObject({ now: { replicas: 1, usdPerHour: 0.5 }, wouldBe: { replicas: 2, usdPerHour: 1 } });
  expect(report.notes).toEqual(expect.arrayContaining([expect.stringMatching(/too few to go by/)]));
  expect(await serving()).toBe(1);

  await uellm('mode', MODEL, 'advise');
  await expect.poll(policy, { timeout: 10_000 }).toBe('uellm');
  expect(await rebalance()).toMatchObject({ outcome: 'skipped', reason: expect.stringContaining('advise mode') });
  const [open, noted] = await proposals();
  expect([open!.state, noted!.state]).toEqual(['open', 'withdrawn']);
  expect(await serving()).toBe(1);
  const workflow = cluster.temporal.workflow.getHandle(`proposal-${open!.id}`);
  expect((await workflow.describe()).searchAttributes).toMatchObject({ UellmOutcome: ['waits-for-approval'] });
  await cluster.killRole('control');
  expect(await uellm('pilot', 'approve', open!.id)).toMatchObject({ state: 'approved' });
  await cluster.startRole('control');
  await expect.poll(async () => (await proposals())[0], { timeout: 60_000 }).toMatchObject({ state: 'done', outcome: '1 of 1 moves done' });
  expect(await serving()).toBe(2);

  await uellm('mode', MODEL, 'auto');
  await want(1);
  expect(await rebalance()).toMatchObject({ outcome: 'moved', held: [] });
  expect(await serving()).toBe(1);
  expect(await proposals()).toHaveLength(2);
  expect(load.failures()).toEqual([]);
});
