/** Two simulated engines and a gateway, each in a process of its own, as `uellm` runs them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { simulatedEngineEntry } from '../../engines/simulated/entry.ts';
import { DEPLOYMENT, ENGINES, engineSpecOf, KV_CACHE_TOKENS, MAX_SEQUENCES, MODEL, QUEUE, STEP_TIME, TARGETS } from './scenario.ts';

export interface Cluster {
  gatewayUrl: string;
  close(): Promise<void>;
}

const READY_WITHIN_MS = 20_000;

/** @throws where one of them is not ready in time */
export async function startCluster(policy: string): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'uellm-validation-'));
  const children: ChildProcess[] = [];
  const start = (args: string[], env: Record<string, string> = {}) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
    children.push(child);
  };
  const close = async () => {
    await Promise.all(
      children.reverse().map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGTERM');
        await once(child, 'exit');
      }),
    );
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const replicas = [];
    for (const id of ENGINES) {
      const port = await freePort();
      const file = join(folder, `${id}.json`);
      writeFileSync(file, JSON.stringify(engineSpecOf(id)));
      start([simulatedEngineEntry, '--spec', file, '--address', '127.0.0.1', '--port', String(port)]);
      const endpoint = `http://127.0.0.1:${port}`;
      replicas.push({ id, endpoint, model: MODEL, deployment: DEPLOYMENT, ...sizes, simulated: true });
    }
    const match = { model: '*', tenant: '*', class: '*' };
    const config = join(folder, 'gateway.json');
    writeFileSync(
      config,
      JSON.stringify({ replicas, policies: [{ name: 'validation', match, targets: TARGETS, priority: 0, queue: QUEUE }] }),
    );
    const port = await freePort();
    const gatewayUrl = `http://127.0.0.1:${port}`;
    const uellm = fileURLToPath(new URL('../../bin/uellm.js', import.meta.url));
    start([uellm, 'gateway', '--config', config], {
      UELLM_GATEWAY_PORT: String(port),
      UELLM_SCHEDULER_POLICY: policy,
      UELLM_LOG_LEVEL: 'error',
    });
    await Promise.all([...replicas.map(({ endpoint }) => answers(`${endpoint}/health`)), answers(`${gatewayUrl}/readyz`)]);
    return { gatewayUrl, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const sizes = { engine: 'simulated', maxInFlight: MAX_SEQUENCES, kvCacheTokens: KV_CACHE_TOKENS, stepTime: STEP_TIME };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(url: string): Promise<void> {
  const untilMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return;
    if (performance.now() > untilMs) throw new Error(`${url} does not answer 200 within ${READY_WITHIN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
