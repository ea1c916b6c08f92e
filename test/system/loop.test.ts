/** The whole loop through its public face: declare, deploy, serve, drain under load, rebalance. Real processes, real Postgres, real Temporal. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamCompletion } from '../../engines/openai.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';
import { drained } from '../support/drained.ts';
import { startLoad } from '../support/load.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster(smallFleet({ rollout: { steps: [{ weight: 30, pauseSeconds: 1 }] } }));
});
afterAll(() => cluster?.close());

interface ReplicaView {
  id: string;
  host: string;
  revision: number;
  state: string;
  simulated: boolean;
}
const replicas = async () => (await cluster.api<{ items: ReplicaView[] }>('GET', '/replicas')).items.filter((r) => r.state === 'ready');

describe('the whole loop', () => {
  it('deploys, and serves streamed and whole answers that say they are simulated', async () => {
    const rollout = await cluster.deploy(MODEL);
    expect(rollout.status).toMatchObject({ phase: 'succeeded' });
    expect((await replicas()).map((r) => [r.revision, r.simulated])).toEqual([[1, true]]);
    await expect.poll(() => models(), { timeout: 5000 }).toEqual([MODEL]);
    const streamed = await streamCompletion(cluster.gatewayUrl, { model: MODEL, prompt: 'hello', maxTokens: 8, ignoreEos: true });
    expect(streamed).toMatchObject({ outputTokens: 8, finishReason: 'length' });
    const whole = await fetch(`${cluster.gatewayUrl}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: MODEL, prompt: 'hello', max_tokens: 4 }),
    });
    expect(whole.status).toBe(200);
    expect(whole.headers.get('x-uellm-simulated')).toBe('true');
  });

  it('fetches the logs of an engine and of its host worker from the host', async () => {
    const [replica] = await replicas();
    const log = (path: string) => cluster.api<{ source: string; lines: string[] }>('GET', `${path}/log?lines=5`);
    expect((await log(`/replicas/${replica!.id}`)).source).toContain(replica!.id);
    const { source, lines } = await log(`/hosts/${replica!.host}`);
    expect([source, lines.length > 0]).toEqual(['host worker', true]);
    expect(() => lines.map((line) => JSON.parse(line))).not.toThrow();
  });

  it('rolls a second revision out by canary under load without a failed stream', async () => {
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 4, tokens: 40 });
    const rollout = await cluster.deploy(MODEL);
    await load.stop();
    expect(rollout.status).toMatchObject({ phase: 'succeeded' });
    expect(rollout.status.stages.find((s) => s.stage === 'canary')).toMatchObject({ state: 'done' });
    expect(load.failures()).toEqual([]);
    expect(load.finished()).toBeGreaterThan(5);
    expect((await replicas()).map((r) => r.revision)).toEqual([2]);
  });

  it('drains a host under streaming load: every stream ends with [DONE], and the receipt says so', async () => {
    const [before] = await replicas();
    const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 8, tokens: 120 });
    await delay(1500);
    await cluster.api('POST', `/hosts/${before!.host}/drain`);
    const receipt = await drained(cluster, before!.host);
    await load.stop();
    expect(load.failures()).toEqual([]);
    expect(load.finished()).toBeGreaterThan(8);
    expect(receipt).toMatchObject({ requestsDropped: 0, moved: [{ replicaId: before!.id }] });
    const [after] = await replicas();
    expect(after!.host).not.toBe(before!.host);
    await cluster.api('POST', `/hosts/${before!.host}/uncordon`);
  });

  it('puts a changed SLO policy in force within a second', async () => {
    const policy = {
      name: 'strict',
      match: { model: MODEL, class: 'instant' },
      targets: { ttftMs: 1, attainment: 0.5 },
      priority: -5,
      queue: { maxWaitMs: 1000, onHopeless: 'shed' },
    };
    await cluster.api('POST', '/slo-policies', policy);
    await expect.poll(() => policyOf('instant'), { timeout: 1000, interval: 50 }).toBe('strict');
    await cluster.api('DELETE', '/slo-policies/strict');
    await expect.poll(() => policyOf('instant'), { timeout: 1000, interval: 50 }).toBe('relaxed');
  });

  it('rebalances on demand and on a schedule, a dry run moving nothing', async () => {
    const { workflowId } = await cluster.api<{ workflowId: string }>('POST', '/rebalances', { dryRun: true });
    expect(await cluster.temporal.workflow.getHandle(workflowId).result()).toMatchObject({
      outcome: expect.stringMatching(/nothing-to-do|dry-run/),
    });
    const { schedule } = await cluster.temporal.schedule
      .getHandle('rebalance')
      .describe()
      .then((d) => ({ schedule: d.action }));
    expect(schedule).toMatchObject({ workflowType: 'scheduledRebalance' });
    const scheduled = await cluster.temporal.workflow.execute('scheduledRebalance', {
      taskQueue: 'uellm-control',
      workflowId: 'as-the-schedule-does',
      args: [],
    });
    expect(scheduled).toMatchObject({ outcome: 'nothing-to-do' });
  });

  it('deploys a model that embeds, and serves it', async () => {
    await cluster.api('POST', '/deployments', {
      ...{ name: 'embedder', model: MODEL, engine: { kind: 'simulated', args: { runner: 'pooling' } }, replicas: { min: 1, max: 1 } },
      demand: { requestsPerSecond: 1, inputTokens: 200, outputTokens: 1 },
    });
    expect((await cluster.deploy('embedder')).status).toMatchObject({ phase: 'succeeded' });
    const ask = (path: string, body: object) =>
      fetch(`${cluster.gatewayUrl}/v1/${path}`, { method: 'POST', body: JSON.stringify({ model: 'embedder', ...body }) });
    await expect.poll(async () => (await ask('embeddings', { input: 'a text' })).status, { timeout: 5000 }).toBe(200);
    const { data, usage } = (await (await ask('embeddings', { input: ['a text', 'another'] })).json()) as {
      data: { embedding: number[] }[];
      usage: { prompt_tokens: number };
    };
    expect(data.map((d) => d.embedding.length)).toEqual([384, 384]);
    expect(usage.prompt_tokens).toBeGreaterThan(0);
    expect((await ask('completions', { prompt: 'a text' })).status).toBe(404);
    await cluster.api('DELETE', '/deployments/embedder?drain=true');
    await expect.poll(async () => (await replicas()).length, { timeout: 15_000 }).toBe(1);
  });

  it('deletes a deployment: its replicas finish what they stream and are gone', async () => {
    const streaming = streamCompletion(cluster.gatewayUrl, { model: MODEL, prompt: 'hello', maxTokens: 150, ignoreEos: true });
    await cluster.api('DELETE', `/deployments/${MODEL}?drain=true`);
    expect(await streaming).toMatchObject({ outputTokens: 150 });
    await expect.poll(replicas, { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => models(), { timeout: 5000 }).toEqual([]);
  });
});

async function models(): Promise<string[]> {
  const response = await fetch(`${cluster.gatewayUrl}/v1/models`);
  return ((await response.json()) as { data: { id: string }[] }).data.map((m) => m.id);
}

/** Which policy the gateway applies to a class, by what it observed of a request. */
async function policyOf(requestClass: string): Promise<string> {
  const response = await fetch(`${cluster.gatewayUrl}/v1/completions`, {
    method: 'POST',
    headers: { 'x-slo-class': requestClass },
    body: JSON.stringify({ model: MODEL, prompt: 'hello', max_tokens: 1 }),
  });
  await response.arrayBuffer();
  return response.headers.get('x-uellm-policy') ?? 'none';
}
