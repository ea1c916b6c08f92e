/** The gateway as a process: told to end under load, and as several that share a port. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readEnvironment } from '../../bin/environment.ts';
import { endProcess, type LaunchedProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { layoutOf } from '../../bin/up/layout.ts';
import { roleSpec } from '../../bin/up/roles.ts';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { gatewayLeases, observations, replicas } from '../../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { routedReplica, until } from '../support/gateway.ts';
import { anObservation } from '../support/observations.ts';
import { startUpstream, streamed, type TestUpstream } from '../support/upstream.ts';

let database: TestDatabase;
let engine: TestUpstream;
let directory: string;
let gateway: LaunchedProcess;
let url: string;

beforeAll(() => execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url))]));
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-gateway-'));
  engine = await startUpstream(streamed(Array(20).fill('x'), 25));
  database = await createTestDatabase();
  await database.connection.db.transaction(async (tx) => {
    const { replicaId, ...row } = routedReplica({ replicaId: 'r1', endpoint: engine.url });
    const place = { accelerators: [0], acceleratorKind: 'L4', tensorParallel: 1, state: 'ready' as const };
    await tx.insert(replicas).values({ ...row, ...place, id: replicaId });
    await bumpRoutingVersion(tx);
  });
});
afterEach(async () => {
  await endProcess(gateway, { signal: 'SIGKILL', graceSeconds: 5 });
  await engine.close();
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

async function start(variables: Record<string, string>): Promise<void> {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const environment = readEnvironment({
    DATABASE_URL: database.url,
    UELLM_DATA_DIR: directory,
    UELLM_GATEWAY_PORT: String(port),
    ...variables,
  });
  gateway = await launch(roleSpec('gateway', [], environment, layoutOf(directory)));
  await waitUntilReady(gateway);
  await until(async () => (await ask('/readyz')).status === 200);
}

interface Answered {
  status: number;
  connection: string;
  text: string;
}

/** @throws the system's error where the answer breaks off, or nobody listens */
function ask(path: string, body?: object, agent?: Agent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url + path, { method: body ? 'POST' : 'GET', headers, ...(agent && { agent }) }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode!, connection: res.headers.connection ?? '', text }));
      res.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

const stream = (agent?: Agent) => ask('/v1/completions', { model: 'chat', prompt: 'x', stream: true }, agent);

interface Outcome {
  begunMs: number;
  /** The answer ended with `[DONE]`; or what came instead. */
  as: string;
}

/** Clients that ask until nobody listens any more, or they are stopped. */
function startClients(count: number, agent: Agent) {
  const outcomes: Outcome[] = [];
  let stopped = false;
  const clients = Array.from({ length: count }, async () => {
    while (!stopped) {
      const begunMs = performance.now();
      const as = await stream(agent).then(
        ({ status, text }) => (text.endsWith('data: [DONE]\n\n') ? 'done' : `${status} ${text.slice(-200)}`),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      if (as === 'ECONNREFUSED') return;
      outcomes.push({ begunMs, as });
    }
  });
  return {
    outcomes,
    done: () => Promise.all(clients),
    stop: () => {
      stopped = true;
      return Promise.all(clients);
    },
  };
}

const stored = async () => (await database.connection.db.select().from(observations)).length;
const leases = async () => (await database.connection.db.select({ id: gatewayLeases.gatewayId }).from(gatewayLeases)).map(({ id }) => id);

describe('told to end', () => {
  it('says so first and still takes requests, then finishes its streams, and leaves nothing behind', async () => {
    await start({ UELLM_GATEWAY_DRAIN_SECONDS: '1', UELLM_GATEWAY_STOP_SECONDS: '30' });
    const { outcomes, done } = startClients(6, new Agent({ keepAlive: true }));
    await until(() => outcomes.length >= 6, 20_000);
    process.kill(gateway.pid, 'SIGTERM');
    await until(async () => (await ask('/readyz')).status === 503);
    const late = await stream();
    expect([late.status, late.connection]).toEqual([200, 'close']);
    expect(late.text).toContain('[DONE]');
    await done();
    expect(outcomes.filter(({ as }) => as !== 'done')).toEqual([]);
    expect(await gateway.exited).toBe('exit code 0');
    expect(await leases()).toEqual([]);
    expect(await stored()).toBe(engine.received.length);
  }, 60_000);

  it('twice, it ends its streams at once, and still leaves nothing behind', async () => {
    engine.answer = streamed(Array(10_000).fill('x'), 25);
    await start({ UELLM_GATEWAY_STOP_SECONDS: '300' });
    const running = stream();
    await until(() => engine.received.length === 1);
    process.kill(gateway.pid, 'SIGTERM');
    await until(() =>
      ask('/healthz').then(
        () => false,
        () => true,
      ),
    );
    process.kill(gateway.pid, 'SIGTERM');
    expect((await running).text).toContain('"draining"');
    expect(await gateway.exited).toBe('exit code 0');
    expect(await leases()).toEqual([]);
    expect(await stored()).toBe(1);
  }, 60_000);
});

describe('as two processes', () => {
  const workers = async () => JSON.parse((await ask('/uellm/stats')).text) as { gatewayId: string; replicas: { finished: number }[] };
  const pidOf = (gatewayId: string) => Number(gatewayId.split('-').at(-2));

  it('each is started again when it is killed, and meanwhile the other serves; told of as one, and ended as one', async () => {
    const left = join(directory, 'spool', 'worker-2', 'observations-0000000001.jsonl');
    mkdirSync(dirname(left), { recursive: true });
    writeFileSync(left, `${JSON.stringify(anObservation('left by an earlier run'))}\n`);
    await start({ UELLM_GATEWAY_WORKERS: '2', UELLM_GATEWAY_DRAIN_SECONDS: '1', UELLM_GATEWAY_STOP_SECONDS: '30' });
    await until(async () => (await stored()) === 1);
    const { outcomes, done } = startClients(8, new Agent({ keepAlive: false }));
    await until(() => outcomes.length >= 8, 20_000);
    const { gatewayId, replicas: known } = await workers();
    expect(known[0]!.finished).toBeGreaterThanOrEqual(8);
    const killed = gatewayId.split(',')[0]!;
    expect((await leases()).sort()).toEqual(gatewayId.split(','));

    process.kill(pidOf(killed), 'SIGKILL');
    await until(() => isGone(pidOf(killed)));
    const goneMs = performance.now();
    await until(async () => (await workers()).gatewayId.split(',').filter((id) => id !== killed).length === 2, 20_000);
    await delay(500);
    const metrics = (await ask('/metrics')).text;
    const finished = outcomes.length;
    process.kill(gateway.pid, 'SIGTERM');
    await done();

    expect(outcomes.filter(({ begunMs, as }) => begunMs > goneMs && as !== 'done')).toEqual([]);
    expect(outcomes.filter(({ begunMs, as }) => begunMs <= goneMs && as === 'done').length).toBeGreaterThanOrEqual(8);
    const counted = Number(/^uellm_requests_total\{.*outcome="ok".*\} (\d+)/m.exec(metrics)?.[1]);
    expect(counted).toBeGreaterThan(0);
    expect(counted).toBeLessThanOrEqual(finished + 8);
    expect(metrics).toContain('uellm_replica_healthy{deployment="chat",replica="r1"} 1');
    expect(await gateway.exited).toBe('exit code 0');
    expect(await leases()).toEqual([killed]);
  }, 90_000);

  it('ends with an error where one of them cannot serve', async () => {
    const port = Number(new URL(engine.url).port);
    const environment = readEnvironment({
      DATABASE_URL: database.url,
      UELLM_DATA_DIR: directory,
      UELLM_GATEWAY_PORT: String(port),
      UELLM_GATEWAY_WORKERS: '2',
    });
    gateway = await launch(roleSpec('gateway', [], environment, layoutOf(directory)));
    expect(await gateway.exited).not.toBe('exit code 0');
  }, 30_000);
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
