import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostSpecSchema } from '../core/domain/fleet.ts';
import { sloPolicySchema } from '../core/domain/slo-policy.ts';
import { corrections, deployments, hosts, plans, profilerSnapshots, replicas, rollouts, sloPolicies } from '../db/schema/index.ts';
import { createTestApi, RUNNING, type TestApi } from '../test/support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['secret'] });
});
afterAll(() => api.close());

const STATE = {
  ...{ model: 'm', deployment: 'd', revision: 1, host: 'h1', acceleratorKind: 'L4', tensorParallel: 1, engine: 'vllm' as const },
  simulated: false,
};

/** Sample lines of ours by name and labels. */
async function scrape(): Promise<Record<string, number>> {
  const response = await api.app.request('/metrics');
  expect(response.status).toBe(200);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('uellm_'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

it('tells the state in Postgres without a key, and asks Postgres once in five seconds', async () => {
  const spec = (name: string) => hostSpecSchema.parse({ name, accelerators: [{ kind: 'L4', count: 1 }] });
  await api.db
    .insert(hosts)
    .values([
      { name: 'h1', spec: spec('h1'), liveness: 'alive', service: 'cordoned', reason: 'blocked: fits with 1 more L4' },
      ...['h2', 'h3', 'h4'].map((name) => ({ name, spec: spec(name), liveness: 'suspect' as const })),
    ]);
  await api.db.insert(replicas).values([
    { ...STATE, id: 'r1', accelerators: [0], state: 'ready' },
    { ...STATE, id: 'r2', accelerators: [0], state: 'starting', host: 'h2' },
    { ...STATE, id: 'r0', accelerators: [0], state: 'stopped', endedAt: new Date() },
  ]);
  const deployment = { name: 'e', replicas: { min: 2, max: 3 } } as never;
  await api.db.insert(deployments).values({ name: 'e', spec: deployment, currentRevision: 1 });
  await api.db.insert(rollouts).values([
    { id: 'd-r1', deployment: 'd', revision: 1, workflowId: 'w', status: { ...RUNNING, phase: 'rolled-back' }, endedAt: new Date() },
    { id: 'd-r2', deployment: 'd', revision: 2, workflowId: 'w', status: RUNNING },
  ]);
  const report = { summary: '', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null };
  await api.db.insert(plans).values({ id: 'p', purpose: 'drain', subject: 'h1', moves: [], report, state: 'refused' });
  await api.db.insert(corrections).values([
    { kind: 'length-factor', subject: 'm', evidence: {}, action: '', state: 'kept' },
    { kind: 'length-factor', subject: 'm', evidence: {}, action: '', state: 'undone' },
  ]);
  const policy = sloPolicySchema.parse({ name: 'chat', targets: { ttftMs: 500, attainment: 0.95 } });
  await api.db.insert(sloPolicies).values({ name: 'chat', spec: policy });
  await api.db.insert(profilerSnapshots).values({ version: 1, snapshot: {}, scores: {}, trainedThroughId: 0, createdAt: new Date(60_000) });

  const told = await scrape();
  expect(told).toMatchObject({
    uellm_postgres_up: 1,
    uellm_temporal_up: 1,
    'uellm_host_state{host="h1",liveness="alive",service="cordoned"}': 1,
    'uellm_drain_stopped{host="h1",phase="blocked"}': 1,
    uellm_hosts_silent_together: 3,
    'uellm_replicas{deployment="d",state="ready"}': 1,
    'uellm_replicas{deployment="d",state="starting"}': 1,
    'uellm_replicas{deployment="e",state="ready"}': 0,
    'uellm_deployment_replicas_min{deployment="e"}': 2,
    'uellm_rollouts_ended_total{deployment="d",phase="rolled-back"}': 1,
    'uellm_rollouts_ended_total{deployment="d",phase="failed"}': 0,
    'uellm_rollouts_active{deployment="d",phase="running"}': 1,
    'uellm_plans_total{purpose="drain",state="refused"}': 1,
    'uellm_corrections_in_force{kind="length-factor",state="kept"}': 1,
    'uellm_slo_target_ratio{policy="chat"}': 0.95,
    'uellm_slo_target_ratio{policy="fallback"}': 0.9,
    uellm_profiler_snapshot_timestamp_seconds: 60,
    uellm_profiler_observations_unlearned: 0,
    'uellm_gateways{state="live"}': 0,
  });
  expect(Object.keys(told).filter((name) => name.includes('stopped"') || name.includes('undone'))).toEqual([]);

  await api.db.delete(sloPolicies);
  expect(await scrape()).toMatchObject({ 'uellm_slo_target_ratio{policy="chat"}': 0.95 });
});

it('says that Postgres and Temporal are away, and nothing of what it cannot know', async () => {
  const away = await createTestApi();
  away.actions.ping.mockRejectedValue(new Error('away'));
  await away.close();
  const text = await (await away.app.request('/metrics', { headers: { host: 'localhost' } })).text();
  expect(text).toContain('\nuellm_postgres_up 0\n');
  expect(text).toContain('\nuellm_temporal_up 0\n');
  expect(text).not.toContain('uellm_hosts_silent_together');
});
