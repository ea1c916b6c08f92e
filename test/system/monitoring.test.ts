/**
 * Monitoring on the real thing: an engine that becomes slow, whose answers become longer than predicted. The corrections are made, gateways
 * route by them, and what was corrected for a fault that has gone is undone. One replica, so that requests go there however slow it is held
 * to be.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { desc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quantile } from '../../core/domain/statistics.ts';
import { liveLeases } from '../../db/queries/leases.ts';
import { loadReplica } from '../../db/queries/replicas.ts';
import { loadRoutingTable } from '../../db/queries/routing.ts';
import { observations } from '../../db/schema/index.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { MODEL, smallFleet } from '../support/demo-objects.ts';

interface Correction {
  id: number;
  kind: string;
  subject: string;
  action: string;
  state: string;
  evidence: Record<string, number | string>;
  change: Record<string, unknown>;
  undoneAt: string | null;
  undoReason: string | null;
}

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ ...smallFleet({ replicas: { min: 1, max: 1 } }), env: { UELLM_MONITOR_SECONDS: '2' } });
  const rollout = await cluster.deploy(MODEL);
  if (rollout.status.phase !== 'succeeded') throw new Error(JSON.stringify(rollout));
});
afterAll(() => cluster?.close());

const corrections = async () => (await cluster.api<{ items: Correction[] }>('GET', '/corrections')).items;
const setFaults = (endpoint: string, faults: object) =>
  fetch(`${endpoint}/simulated/faults`, { method: 'POST', body: JSON.stringify(faults) });

/** So many chats a second, each with another prompt and so with a length of its own. */
function chat(perSecond: number): { stop(): Promise<void>; failures: string[] } {
  const open = new Set<Promise<void>>();
  const failures: string[] = [];
  let asked = 0;
  const ask = async () => {
    const messages = [{ role: 'user', content: `Tell me about the sea, part ${asked++}.` }];
    const body = JSON.stringify({ model: MODEL, messages, stream: true });
    const response = await fetch(`${cluster.gatewayUrl}/v1/chat/completions`, { method: 'POST', body });
    const text = await response.text();
    if (!text.trimEnd().endsWith('[DONE]')) failures.push(`${response.status} ${text.slice(-200)}`);
  };
  const timer = setInterval(() => {
    const request = ask()
      .catch((error) => void failures.push(String(error)))
      .finally(() => open.delete(request));
    open.add(request);
  }, 1000 / perSecond);
  return {
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

async function correctionOf(kind: string, subject: RegExp, withinMs: number): Promise<Correction> {
  for (const deadline = Date.now() + withinMs; ; await delay(250)) {
    const found = (await corrections()).find((c) => c.kind === kind && subject.test(c.subject));
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`no correction of ${kind} came: ${JSON.stringify(await corrections())}`);
  }
}

/** Of the newest thirty answers: the median of actual over predicted length. */
async function medianRatio(): Promise<number> {
  const ended = await cluster.db.select().from(observations).where(eq(observations.outcome, 'ok')).orderBy(desc(observations.id)).limit(30);
  const ratios = ended.map(({ outputTokens, predictedOutputP50 }) => outputTokens! / predictedOutputP50!);
  return ratios.length < 30 ? Number.POSITIVE_INFINITY : quantile(ratios, 0.5);
}

describe('monitoring', () => {
  it('corrects what is slow, and what is longer where the learner has not, within a minute, and undoes what is needed no more', {
    timeout: 240_000,
  }, async () => {
    const { replicas } = await loadRoutingTable(cluster.db);
    const [slow] = replicas;
    await setFaults(slow!.endpoint, { slowdown: 3, outputFactor: 2.5 });
    const load = chat(3);

    const stepTime = await correctionOf('step-time', new RegExp(slow!.replicaId), 60_000);
    expect(stepTime).toMatchObject({ action: expect.stringMatching(/^step time of replica/), change: { kind: 'recalibrate-step-time' } });
    expect(stepTime.evidence.stepTimeRatio).toBeGreaterThan(1.8);
    const { version } = await loadRoutingTable(cluster.db);
    const corrected = await loadReplica(cluster.db, slow!.replicaId);
    expect(corrected.stepTime!.d0).toBeGreaterThan(1.8 * slow!.stepTime.d0);
    await expect
      .poll(async () => (await liveLeases(cluster.db, 5000)).every((lease) => lease.routingVersion >= version), { timeout: 3000 })
      .toBe(true);

    // The fault is gone. Its correction is looked at once it has been in force for long enough to be judged.
    await setFaults(slow!.endpoint, { outputFactor: 2.5 });
    // The learner and monitoring see it at the same time: whichever is first, lengths are predicted right again.
    await expect.poll(medianRatio, { timeout: 60_000, interval: 500 }).toBeLessThan(1.3);
    for (const { evidence, change } of (await corrections()).filter(({ kind }) => kind === 'output-length')) {
      expect(evidence.medianRatio).toBeGreaterThan(1.4);
      expect(change).toMatchObject({ kind: 'recalibrate-lengths', model: MODEL });
    }
    await expect
      .poll(async () => (await corrections()).find((c) => c.id === stepTime.id), { timeout: 120_000, interval: 500 })
      .toMatchObject({ state: 'undone', undoneAt: expect.any(String), undoReason: expect.any(String) });
    await load.stop();
    expect(load.failures).toEqual([]);

    const undone = await loadReplica(cluster.db, slow!.replicaId);
    expect(undone.stepTime!.d0).toBeLessThan(0.8 * corrected.stepTime!.d0);

    const runs: string[] = [];
    for await (const run of cluster.temporal.workflow.list({ query: `WorkflowType = 'monitorCluster' AND UellmOutcome = 'corrected'` }))
      runs.push(run.workflowId);
    expect(runs).toContain('monitor-cluster');
  });

  it('sends less to an engine that ran out of memory, as its host tells', { timeout: 60_000 }, async () => {
    const [replica] = (await loadRoutingTable(cluster.db)).replicas;
    await setFaults(replica!.endpoint, { outOfMemoryAtKvUsage: 0 });
    // It is tried again on the engine that is started in the place of the one that it ended.
    await fetch(`${cluster.gatewayUrl}/v1/completions`, { method: 'POST', body: JSON.stringify({ model: MODEL, prompt: 'hello' }) });
    const limit = await correctionOf('out-of-memory', new RegExp(replica!.replicaId), 30_000);
    expect(limit.change).toMatchObject({ kind: 'limit-admission', replicaId: replica!.replicaId });
    const { items } = await cluster.api<{ items: { action: string; name: string; after: { reason: string } }[] }>('GET', '/audit');
    expect(items.find((entry) => entry.action === 'out-of-memory')).toMatchObject({
      name: replica!.replicaId,
      after: { reason: expect.stringMatching(/CUDA out of memory/) },
    });
    expect((await loadReplica(cluster.db, replica!.replicaId)).kvShare).toBeLessThan(1);
  });
});
