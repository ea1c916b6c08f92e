import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import type { Database } from '../../db/client.ts';
import { type Lease, liveLeases } from '../../db/queries/leases.ts';
import { observationsAfter } from '../../db/queries/observations.ts';
import { publishSnapshot } from '../../db/queries/profiler.ts';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { deployments, replicas, sloPolicies } from '../../db/schema/index.ts';
import { createTestDatabase, execute, type TestDatabase } from '../../test/support/database.ts';
import { complete, sloPolicy, until } from '../../test/support/gateway.ts';
import { aReplica } from '../../test/support/rows.ts';
import { startUpstream, streamed, type TestUpstream } from '../../test/support/upstream.ts';
import { type Gateway, startGateway } from '../server.ts';

let database: TestDatabase;
let db: Database;
let engine: TestUpstream;
let spoolDir: string;
let gateway: Gateway;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
  engine = await startUpstream();
  spoolDir = mkdtempSync(join(tmpdir(), 'uellm-gateway-'));
  gateway = await startGateway({
    source: { kind: 'postgres', database: database.connection, spoolDir },
    address: '127.0.0.1',
    port: 0,
    logger: pino({ level: 'fatal' }),
  });
});
afterEach(async () => {
  await gateway.close();
  await engine.close();
  await database.drop();
  rmSync(spoolDir, { recursive: true, force: true });
});

async function publish(id: string, endpoint: string): Promise<number> {
  return db.transaction(async (tx) => {
    const stepTime = { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.01, rc: 0.006, rb: 4e-7, o: 1 };
    await aReplica(tx, { id, endpoint, kvCacheTokens: 400_000, stepTime });
    return bumpRoutingVersion(tx);
  });
}

async function unroute(id: string): Promise<number> {
  return db.transaction(async (tx) => {
    await tx.update(replicas).set({ state: 'draining' }).where(eq(replicas.id, id));
    return bumpRoutingVersion(tx);
  });
}

async function addPolicy(policy: SloPolicy): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.insert(sloPolicies).values({ name: policy.name, spec: policy });
    await bumpRoutingVersion(tx);
  });
}

const lease = async (): Promise<Lease | undefined> => (await liveLeases(db, 10_000)).find((l) => l.gatewayId === gateway.gatewayId);
const acknowledged = (version: number) => until(async () => ((await lease())?.routingVersion ?? -1) >= version);
const ask = async (headers: Record<string, string> = {}) => {
  const response = await complete(gateway, { stream: true }, { headers });
  return { replica: response.headers.get('x-uellm-replica'), text: await response.text() };
};

/** Postgres turns everyone away, or takes them again. */
async function postgresAway(away: boolean): Promise<void> {
  const name = new URL(database.url).pathname.slice(1);
  await execute(inject('postgresUrl'), `alter database ${name} with allow_connections ${!away}`);
  if (away) await execute(inject('postgresUrl'), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
}

describe('routing by Postgres', () => {
  it('is ready with the first table, and follows every change within a second', async () => {
    await until(async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
    const version = await publish('r1', engine.url);
    const changedMs = performance.now();
    await acknowledged(version);
    expect(performance.now() - changedMs).toBeLessThan(1000);
    expect((await ask()).replica).toBe('r1');

    await addPolicy(sloPolicy({ name: 'interactive', match: { model: '*', tenant: '*', class: 'interactive' }, priority: 7 }));
    await acknowledged(version + 1);
    await ask({ 'x-slo-class': 'interactive' });
    expect(engine.received.at(-1)?.json.priority).toBe(-7);
  });

  it('knows deployments that have no replica yet, without a new version', async () => {
    await until(async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
    const spec = { model: 'llama-3.1-8b' } as typeof deployments.$inferInsert.spec;
    await db.insert(deployments).values({ name: 'chat', spec });
    const status = async () => (await fetch(`${gateway.url}/uellm/stats`)).json() as Promise<{ deployments: { name: string }[] }>;
    await until(async () => (await status()).deployments.some((d) => d.name === 'chat'));
    const held = ask();
    await publish('r1', engine.url);
    expect((await held).text).toContain('[DONE]');
  });

  it('comes back when its connections are cut', async () => {
    await acknowledged(await publish('r1', engine.url));
    await execute(
      database.url,
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
    );
    expect((await ask()).text).toContain('[DONE]');
    // Connections of the test's own were cut as well, and not all may have noticed yet.
    let version: number | undefined;
    await until(async () => {
      version = await unroute('r1').catch(() => undefined);
      return version !== undefined;
    });
    await acknowledged(version!);
  });
});

describe('the lease', () => {
  it('acknowledges a version only when nothing new goes to what that version has not, and counts what is open there', async () => {
    const other = await startUpstream();
    for (const upstream of [engine, other]) upstream.answer = streamed(Array(30).fill('x'), 10);
    await publish('stays', other.url);
    await acknowledged(await publish('leaves', engine.url));
    const running = new Set<Promise<void>>();
    const texts: string[] = [];
    let stop = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stop) {
        const one = ask().then(({ text }) => void texts.push(text));
        running.add(one);
        await one;
      }
    });
    await until(() => engine.received.length >= 8);

    const version = await unroute('leaves');
    await acknowledged(version);
    const atAcknowledgement = engine.received.length;
    const open = (await lease())?.inFlight.leaves ?? 0;
    expect(open).toBeGreaterThan(0);
    await until(async () => (await lease())?.inFlight.leaves === 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(engine.received).toHaveLength(atAcknowledgement);

    stop = true;
    await Promise.all(clients);
    await Promise.all(running);
    expect(texts.every((text) => text.endsWith('data: [DONE]\n\n'))).toBe(true);
    expect(engine.received.some((r) => r.aborted)).toBe(false);
    await other.close();
  });

  it('tells within a moment that the last request on a replica has ended', async () => {
    engine.answer = streamed(Array(40).fill('x'), 10);
    await acknowledged(await publish('r1', engine.url));
    const running = ask();
    await until(() => engine.received.length === 1);
    await acknowledged(await unroute('r1'));
    expect((await lease())?.inFlight.r1).toBe(1);
    await running;
    const endedMs = performance.now();
    await until(async () => (await lease())?.inFlight.r1 === 0);
    expect(performance.now() - endedMs).toBeLessThan(300);
  });

  it('says which routed replicas do not answer, and why, until they do', async () => {
    const gone = await startUpstream();
    await gone.close();
    await publish('well', engine.url);
    await acknowledged(await publish('ill', gone.url));
    await until(async () => Object.keys((await lease())!.unhealthy).length > 0);
    expect((await lease())!.unhealthy).toEqual({ ill: expect.stringContaining('ECONNREFUSED') });
    await acknowledged(await unroute('ill'));
    expect((await lease())!.unhealthy).toEqual({});
  });

  it('is there before the first table is read, and gone when the gateway has closed', async () => {
    await until(async () => (await lease()) !== undefined);
    await gateway.close();
    expect(await lease()).toBeUndefined();
  });
});

describe('predictions', () => {
  it("come from the profiler's latest snapshot within moments", async () => {
    await acknowledged(await publish('r1', engine.url));
    const shared = { ...COLD_START_SNAPSHOT.shared, weights: COLD_START_SNAPSHOT.shared.weights.map((w) => (w === 0 ? 0 : Math.log(9))) };
    await publishSnapshot(db, { ...COLD_START_SNAPSHOT, version: 1, shared }, {});
    const predicted = async () => {
      const response = await complete(gateway, { stream: true, max_tokens: 5000 });
      await response.text();
      return response.headers.get('x-uellm-predicted-output-tokens');
    };
    await until(async () => (await predicted()) === '9', 3000);
  });
});

describe('observations', () => {
  it('are stored for every request, with what was predicted and what came', async () => {
    await acknowledged(await publish('r1', engine.url));
    await addPolicy(sloPolicy({ name: 'p', targets: { ttftMs: 5000, tpotMs: 5000, attainment: 0.9 } }));
    await until(async () => (await lease())!.routingVersion >= 3);
    await ask({ 'x-slo-class': 'interactive', 'x-tenant-id': 'acme' });
    await ask({ 'x-llm-d-slo-ttft-ms': '0.001' });
    await until(async () => (await observationsAfter(db, 0, 10)).length === 2, 3000);
    const [first, second] = await observationsAfter(db, 0, 10);
    expect(first).toMatchObject({
      gatewayId: gateway.gatewayId,
      model: 'llama-3.1-8b',
      deployment: 'chat',
      revision: 1,
      replicaId: 'r1',
      tenant: 'acme',
      class: 'interactive',
      policy: 'p',
      outcome: 'ok',
      streamed: true,
      inputTokens: 7,
      outputTokens: 3,
      maxTokens: 16,
      snapshotVersion: 0,
      attained: true,
    });
    expect(first!.ttftMs).toBeGreaterThan(0);
    expect(first!.e2eMs).toBeGreaterThanOrEqual(first!.ttftMs!);
    expect(first!.predictedTtftMs).toBeGreaterThan(0);
    expect(second!.attained).toBe(false);
  });

  it('wait on disk while Postgres is away, and arrive once; serving goes on by the last table', async () => {
    await acknowledged(await publish('r1', engine.url));
    await ask();
    await until(async () => (await observationsAfter(db, 0, 10)).length === 1, 3000);
    await postgresAway(true);
    for (let i = 0; i < 5; i++) expect((await ask()).text).toContain('[DONE]');
    await until(() => readdirSync(spoolDir).length > 0);
    expect((await ask()).text).toContain('[DONE]');
    await postgresAway(false);
    await until(async () => (await observationsAfter(db, 0, 100).catch(() => [])).length === 7, 10_000);
    await until(() => readdirSync(spoolDir).length === 0);
    const ids = (await observationsAfter(db, 0, 100)).map((o) => o.requestId);
    expect(new Set(ids).size).toBe(7);
    await acknowledged(await unroute('r1'));
  });

  it('are spooled when the gateway closes while Postgres is away', async () => {
    await acknowledged(await publish('r1', engine.url));
    await postgresAway(true);
    await ask();
    await gateway.close();
    await postgresAway(false);
    expect(readdirSync(spoolDir)).toHaveLength(1);
    const rows = await db.execute(sql`select count(*)::int as n from observations`);
    expect(rows.rows[0]).toEqual({ n: 0 });
  });
});
