/**
 * Drains one host after the other while chats stream, on an installation of its own: are requests dropped, and does each receipt say what the
 * clients counted? The hosts are simulated, all else is real.
 */
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DrainReceipt } from '../../core/domain/drain.ts';
import { livingReplicas, replicasOfRevision } from '../../db/queries/replicas.ts';
import type { RequestRecord } from '../../test/chaos/outcomes.ts';
import { startTraffic, type Traffic } from '../../test/chaos/traffic.ts';
import { type Installation, startInstallation } from '../../test/support/installation.ts';
import { countDrain, type DrainCount } from './count.ts';

export interface DrainsOptions {
  drains: number;
  /** How long the shortest and the longest stream take, seconds. */
  streamSeconds: readonly [number, number];
  clients: number;
  seed: number;
  log: (line: string) => void;
}

export interface DrainsResult {
  drains: DrainCount[];
  /** Requests that ended in the whole run, and those that did not end well. */
  requests: number;
  failures: string[];
}

const HOSTS = ['h1', 'h2', 'h3', 'h4'];
const MODEL = 'llama-3.1-8b';
const REPLICAS = 3;
/** No revision has this number: all of them are others. */
const NO_REVISION = 0;

export async function runDrains(options: DrainsOptions): Promise<DrainsResult> {
  const directory = mkdtempSync(join(tmpdir(), 'uellm-drains-'));
  chmodSync(directory, 0o755); // Postgres may run as somebody else
  const installation = await startInstallation({
    directory,
    hostWorkers: { hosts: HOSTS },
    controls: 1,
    gateways: 2,
    cuttable: false,
    env: { UELLM_MONITOR_SECONDS: '0' },
  });
  try {
    await declareFleet(installation);
    return await drainUnderLoad(installation, options);
  } finally {
    await installation.close();
  }
}

async function declareFleet({ api }: Installation): Promise<void> {
  for (const name of HOSTS)
    await api('POST', '/hosts', { name, simulated: true, accelerators: [{ kind: 'L4', count: 2, usdPerHour: 0.5 }] });
  await api('POST', '/models', { name: MODEL, source: `hf://meta-llama/${MODEL}` });
  await api('POST', '/slo-policies', {
    ...{ name: 'patient', match: { model: MODEL }, targets: { e2eMs: 300_000, attainment: 0.9 } },
    queue: { maxWaitMs: 300_000 },
  });
  await api('POST', '/deployments', {
    name: MODEL,
    model: MODEL,
    engine: { kind: 'simulated', args: { 'simulated-load-seconds': 0.5, 'max-model-len': 8192 } },
    replicas: { min: REPLICAS, max: REPLICAS },
    demand: { requestsPerSecond: 0.5, inputTokens: 50, outputTokens: 200 },
  });
  await until('hosts that are alive', async () => {
    const { items } = await api<{ items: { status: { liveness: string } }[] }>('GET', '/hosts');
    return items.every((h) => h.status.liveness === 'alive') ? true : null;
  });
  const { id } = await api<{ id: string }>('POST', `/deployments/${MODEL}/rollouts`);
  await until(`the end of rollout ${id}`, async () => {
    const { status } = await api<{ status: { phase: string; reason: string } }>('GET', `/rollouts/${id}`);
    if (['failed', 'rolled-back'].includes(status.phase)) throw new Error(`${id} ${status.phase}: ${status.reason}`);
    return status.phase === 'succeeded' ? true : null;
  });
}

async function drainUnderLoad(installation: Installation, options: DrainsOptions): Promise<DrainsResult> {
  const { database, gateways } = installation;
  const { log, drains, streamSeconds, clients, seed } = options;
  const load = (tokens: readonly [number, number], count: number) =>
    startTraffic({ seed, gateways, deployments: [MODEL], clientsPerDeployment: count, tokens, stuckAfterMs: 120_000 });

  const tokensPerSecond = await paceOf(load([60, 60], clients));
  log(`${tokensPerSecond.toFixed(1)} tokens/s a stream with ${clients} of them`);
  const tokens = [Math.round(streamSeconds[0] * tokensPerSecond), Math.round(streamSeconds[1] * tokensPerSecond)] as const;
  const unrouted = new Map<string, number>();
  const stopWatching = new AbortController();
  const watching = watchUnrouting(installation, unrouted, stopWatching.signal);
  const traffic = load(tokens, clients);
  await delay(streamSeconds[0] * 1000);

  const receipts: DrainReceipt[] = [];
  try {
    for (let n = 1; n <= drains; n++) {
      const host = fullest((await livingReplicas(database.db)).filter((r) => r.state === 'ready').map((r) => r.host));
      receipts.push(await drainOnce(installation, host));
      const { seconds, moved } = receipts.at(-1)!;
      log(`${n} of ${drains}: ${host}, ${moved.length} replicas in ${seconds.toFixed(1)} s, ${traffic.records.length} requests so far`);
    }
  } finally {
    await traffic.stop();
    stopWatching.abort();
    await watching;
  }
  const bad = traffic.records.filter((r) => r.end.how !== 'completed');
  return {
    drains: receipts.map((receipt) => countDrain(receipt, traffic.records, unrouted)),
    requests: traffic.records.length,
    failures: bad.map((r: RequestRecord) => `${r.replicaId ?? 'no replica'}: ${JSON.stringify(r.end)}`),
  };
}

async function paceOf(traffic: Traffic): Promise<number> {
  await until('some streams', async () => (traffic.records.length >= 8 ? true : null));
  await traffic.stop();
  const ended = traffic.records.filter((r) => r.end.how === 'completed');
  return ended.reduce((sum, r) => sum + r.tokens / ((r.endedAtMs - r.startedAtMs) / 1000), 0) / ended.length;
}

async function drainOnce({ api }: Installation, host: string): Promise<DrainReceipt> {
  await api('POST', `/hosts/${host}/drain`);
  const receipt = await until(`the end of the drain of ${host}`, async () => {
    const drain = await api<{ running: boolean; phase: string; reason: string; receipt: DrainReceipt | null }>(
      'GET',
      `/hosts/${host}/drain`,
    );
    if (drain.running) return null;
    if (!drain.receipt) throw new Error(`the drain of ${host} is ${drain.phase}: ${drain.reason}`);
    return drain.receipt;
  });
  await api('POST', `/hosts/${host}/uncordon`);
  return receipt;
}

/** Writes down when each replica was unrouted, by the database's clock. */
async function watchUnrouting({ database }: Installation, seen: Map<string, number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { id, state, updatedAt } of await replicasOfRevision(database.db, MODEL, NO_REVISION, 'others')) {
      if (state === 'draining' && !seen.has(id)) seen.set(id, updatedAt.getTime());
    }
    await delay(100);
  }
}

function fullest(hosts: readonly string[]): string {
  const count = (host: string) => hosts.filter((h) => h === host).length;
  return [...new Set(hosts)].sort((a, b) => count(b) - count(a) || a.localeCompare(b))[0]!;
}

async function until<T>(what: string, look: () => Promise<T | null>, withinMs = 600_000): Promise<T> {
  for (const deadline = Date.now() + withinMs; ; await delay(250)) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new Error(`still waiting for ${what} after ${withinMs / 1000} s`);
  }
}
