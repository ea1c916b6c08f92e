/**
 * A whole small installation for a suite: every role as a process of its own from the build, on the shared real Postgres and Temporal, in a
 * database, a namespace and a data folder of its own. Any role can be killed and started again.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Client } from '@temporalio/client';
import { inject } from 'vitest';
import { engineDrivers } from '../../bin/engine-drivers.ts';
import { type Environment, readEnvironment } from '../../bin/environment.ts';
import { endProcess, type LaunchedProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { layoutOf } from '../../bin/up/layout.ts';
import { hostSpec, roleSpec } from '../../bin/up/roles.ts';
import type { Database } from '../../db/client.ts';
import { createEngineHost } from '../../engines/host.ts';
import { createTestDatabase } from './database.ts';
import { createTestNamespace } from './temporal.ts';

export type Role = 'control' | 'host' | 'gateway' | 'api' | 'profiler';

export interface Cluster {
  db: Database;
  temporal: Client;
  environment: Environment;
  gatewayUrl: string;
  /** A call of the REST API. @returns its JSON. @throws for any status of 400 and above */
  api<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /**
   * Rolls out and waits until it is over.
   * @param limitMs real engines take a minute to load on a busy machine, simulated ones seconds
   * @returns the rollout
   */
  deploy(name: string, limitMs?: number): Promise<RolloutView>;
  startRole(role: Role): Promise<void>;
  /** SIGKILL, and gone. */
  killRole(role: Role): Promise<void>;
  close(): Promise<void>;
}

export interface RolloutView {
  id: string;
  status: { phase: string; stage: string; reason: string; stages: { stage: string; state: string; detail: string }[] };
}

export interface ReplicaView {
  id: string;
  host: string;
  state: string;
  simulated: boolean;
  engine: string;
  revision: number;
  generation: number;
  accelerators: number[];
  endpoint: string;
}

/** The replicas that requests are routed to, as the API shows them. */
export async function readyReplicas(cluster: Cluster): Promise<ReplicaView[]> {
  const { items } = await cluster.api<{ items: ReplicaView[] }>('GET', '/replicas');
  return items.filter((r) => r.state === 'ready');
}

export interface ClusterOptions {
  hosts: string[];
  /** Objects to declare at the start, `{ kind, ...spec }`. */
  objects: { kind: 'Host' | 'Model' | 'SloPolicy' | 'Deployment'; name: string; [field: string]: unknown }[];
  env?: Record<string, string>;
}

const PATHS = { Host: 'hosts', Model: 'models', SloPolicy: 'slo-policies', Deployment: 'deployments' } as const;
const ENDED = ['succeeded', 'failed', 'rolled-back', 'superseded'];

export async function startCluster({ hosts, objects, env = {} }: ClusterOptions): Promise<Cluster> {
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url))]);
  const database = await createTestDatabase();
  const temporal = await createTestNamespace();
  const directory = mkdtempSync(join(tmpdir(), 'uellm-cluster-'));
  const environment = readEnvironment({
    // On a busy machine engines are really slower than predicted: suites about other things would see that corrected.
    UELLM_MONITOR_SECONDS: '0',
    ...env,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TEMPORAL_NAMESPACE: temporal.namespace,
    UELLM_DATA_DIR: directory,
    UELLM_API_PORT: String(await freePort()),
    UELLM_GATEWAY_PORT: String(await freePort()),
    UELLM_PROFILER_PORT: String(await freePort()),
  });
  const layout = layoutOf(directory);
  const running = new Map<Role, LaunchedProcess>();
  const apiUrl = `http://127.0.0.1:${environment.ports.api}/api/v1`;

  const cluster: Cluster = {
    db: database.connection.db,
    temporal: temporal.client,
    environment,
    gatewayUrl: `http://127.0.0.1:${environment.ports.gateway}`,

    async api(method, path, body) {
      const response = await fetch(apiUrl + path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text ? JSON.parse(text) : undefined) as never;
    },

    async deploy(name, limitMs = 55_000) {
      const { id } = await cluster.api<RolloutView>('POST', `/deployments/${name}/rollouts`);
      for (const deadline = Date.now() + limitMs; ; ) {
        if (Date.now() > deadline)
          throw new Error(`rollout ${id} does not end: ${JSON.stringify(await cluster.api('GET', `/rollouts/${id}`))}`);
        const rollout = await cluster.api<RolloutView>('GET', `/rollouts/${id}`);
        if (ENDED.includes(rollout.status.phase)) return rollout;
        await delay(100);
      }
    },

    async startRole(role) {
      const spec = role === 'host' ? hostSpec(hosts, environment, layout) : roleSpec(role, [], environment, layout);
      const launched = await launch(spec);
      running.set(role, launched);
      await waitUntilReady(launched);
    },

    async killRole(role) {
      const launched = running.get(role);
      if (!launched) throw new Error(`${role} does not run`);
      process.kill(-launched.pid, 'SIGKILL');
      await launched.exited;
      running.delete(role);
    },

    async close() {
      await Promise.all([...running.values()].map((p) => endProcess(p, { signal: 'SIGTERM', graceSeconds: 5 })));
      for (const host of hosts) {
        const directory = layout.hostDir(host);
        await createEngineHost({ directory, drivers: engineDrivers(environment, directory) }).stopAll({ graceSeconds: 2 });
      }
      await temporal.close();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };

  try {
    await Promise.all((['profiler', 'control', 'host', 'gateway', 'api'] as const).map((role) => cluster.startRole(role)));
    for (const kind of Object.keys(PATHS) as (keyof typeof PATHS)[]) {
      for (const { kind: _, ...spec } of objects.filter((o) => o.kind === kind)) await cluster.api('POST', `/${PATHS[kind]}`, spec);
    }
    await allAlive(cluster, hosts);
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

async function allAlive(cluster: Cluster, hosts: string[]): Promise<void> {
  for (const deadline = Date.now() + 30_000; ; await delay(100)) {
    const { items } = await cluster.api<{ items: { name: string; status: { liveness: string } }[] }>('GET', '/hosts');
    if (items.filter((h) => h.status.liveness === 'alive').length === hosts.length) return;
    if (Date.now() > deadline) throw new Error(`not all hosts came alive: ${JSON.stringify(items)}`);
  }
}
