/** A tenant's limits over several gateways, and over their restarts, with a real Postgres. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TenantLimits } from '../../core/domain/tenant.ts';
import { dayOf } from '../../core/scheduler/tenant-budget.ts';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { shareBudgets, tenantUse } from '../../db/queries/tenant-budgets.ts';
import { deleteTenant, insertTenant, updateTenant } from '../../db/queries/tenants.ts';
import { replicas, tenantShares } from '../../db/schema/index.ts';
import { createTestDatabase, execute, type TestDatabase } from '../../test/support/database.ts';
import { complete, until } from '../../test/support/gateway.ts';
import { startUpstream, type TestUpstream, whole } from '../../test/support/upstream.ts';
import { type Gateway, startGateway } from '../server.ts';

let database: TestDatabase;
let engine: TestUpstream;
let spoolDir: string;
let gateways: Gateway[];
beforeEach(async () => {
  gateways = [];
  database = await createTestDatabase();
  engine = await startUpstream(whole);
  spoolDir = mkdtempSync(join(tmpdir(), 'uellm-limits-'));
  await database.connection.db.transaction(async (tx) => {
    await tx.insert(replicas).values({
      ...{ id: 'r', model: 'llama-3.1-8b', deployment: 'chat', revision: 1, host: 'h1', accelerators: [0], acceleratorKind: 'H100-SXM' },
      ...{ tensorParallel: 1, engine: 'simulated', endpoint: engine.url, state: 'ready', weight: 100, simulated: true },
      ...{ kvCacheTokens: 400_000, stepTime: { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.01, rc: 0.006, rb: 4e-7, o: 1 } },
    });
    await bumpRoutingVersion(tx);
  });
});
afterEach(async () => {
  await postgresAway(false);
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await engine.close();
  await database.drop();
  rmSync(spoolDir, { recursive: true, force: true });
});

async function start(): Promise<Gateway> {
  const source = { kind: 'postgres' as const, database: database.connection, spoolDir };
  const gateway = await startGateway({ source, address: '127.0.0.1', port: 0, logger: pino({ level: 'fatal' }) });
  gateways.push(gateway);
  await until(async () => (await fetch(`${gateway.url}/readyz`)).status === 200);
  return gateway;
}

const declare = (limits: TenantLimits) =>
  database.connection.db.transaction((tx) => insertTenant(tx, { name: 'acme', features: 'full', limits }));

async function ask(gateway: Gateway): Promise<Response> {
  const response = await complete(gateway, { max_tokens: 10 }, { headers: { 'x-tenant-id': 'acme' } });
  await response.text();
  return response;
}
const admits = async (gateway: Gateway) => (await ask(gateway)).status === 200;

async function admitted(gateway: Gateway, times: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < times; i++) if (await admits(gateway)) count += 1;
  return count;
}

const gauge = async (gateway: Gateway, name: string) =>
  Number(new RegExp(`^uellm_tenant_${name}\\{tenant="acme"\\} (.+)$`, 'm').exec(await (await fetch(`${gateway.url}/metrics`)).text())?.[1]);
const share = (gateway: Gateway) => gauge(gateway, 'limit_share');

async function postgresAway(away: boolean): Promise<void> {
  const name = new URL(database.url).pathname.slice(1);
  await execute(inject('postgresUrl'), `alter database ${name} with allow_connections ${!away}`);
  if (away) await execute(inject('postgresUrl'), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
}

describe('several gateways', () => {
  it('admit together what the tenant may have, a request more at most for each', async () => {
    await declare({ requestsPerMinute: 20 });
    const [a, b] = [await start(), await start()];
    const beganMs = performance.now();
    let count = 0;
    for (let round = 0; round < 12; round++) {
      const both = await Promise.all([admitted(a, 2), admitted(b, 2)]);
      count += both[0] + both[1];
      const most = 20 * (1 + (performance.now() - beganMs) / 60_000) + gateways.length;
      expect(count).toBeLessThanOrEqual(most);
    }
    // The least that each is sure of: the first gateway began with all of it, and let go of half.
    expect(count).toBeGreaterThanOrEqual(10);
  });

  it('give the limits to the one that is asked, and all of them to who is left', async () => {
    await declare({ requestsPerMinute: 300 });
    const [a, b] = [await start(), await start()];
    await until(async () => Math.abs((await share(a)) - 0.5) < 0.01 && Math.abs((await share(b)) - 0.5) < 0.01);
    await until(async () => {
      await admitted(b, 20);
      return (await share(b)) > 0.8;
    }, 15_000);
    expect((await share(a)) + (await share(b))).toBeLessThanOrEqual(1.03);
    await a.close();
    await until(async () => (await share(b)) === 1);
  });

  it('keep their shares while Postgres is away, and after it has come back', async () => {
    await declare({ requestsPerMinute: 6000 });
    const [a, b] = [await start(), await start()];
    await until(async () => Math.abs((await share(a)) - 0.5) < 0.01 && Math.abs((await share(b)) - 0.5) < 0.01);
    await postgresAway(true);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(await admits(a)).toBe(true);
    await postgresAway(false);
    const seen: number[] = [];
    const silent = async () => {
      const rows = await database.connection.db.select({ old: sql<boolean>`renewed_at < now() - interval '2 s'` }).from(tenantShares);
      seen.push((await share(a)) + (await share(b)));
      return rows.some(({ old }) => old);
    };
    await until(async () => !(await silent().catch(() => true)), 10_000);
    expect(Math.max(...seen)).toBeLessThanOrEqual(1.03);
    expect(Math.min(...seen)).toBeGreaterThan(0.9);
  });

  it('hold what is open until it ends, whatever their share', async () => {
    const { db } = database.connection;
    const use = { requestsInFlight: 0, requestsPerMinute: 0, tokensPerMinute: 0 };
    const shareOf = async (gatewayId: string, demand: number, openShare: number) => {
      const shared = await shareBudgets(db, gatewayId, new Map([['acme', { demand, openShare, use }]]), 1, () => undefined);
      return shared.get('acme')!.share;
    };
    expect(await shareOf('a', 1, 0.9)).toBe(1);
    expect(await shareOf('b', 1, 0)).toBe(0.01);
    expect(await shareOf('a', 0, 0.9)).toBeLessThan(0.1);
    expect(await shareOf('b', 1, 0)).toBeCloseTo(0.1, 6);
    await shareOf('a', 0, 0);
    expect(await shareOf('b', 1, 0)).toBeGreaterThan(0.9);
  });
});

describe('the tokens of a day', () => {
  it('are not forgotten by a gateway that is started anew, and count once', async () => {
    await declare({ tokensPerDay: 60 });
    const first = await start();
    // Each takes 6 tokens, and up to 13 are set aside.
    expect(await admitted(first, 5)).toBe(5);
    await until(async () => (await gauge(first, 'tokens_today')) === 30);
    await first.close();
    const second = await start();
    await until(async () => (await gauge(second, 'tokens_today')) === 30);
    expect(await admitted(second, 20)).toBeLessThanOrEqual(5);
    const used = await gauge(second, 'tokens_today');
    expect(used).toBeGreaterThan(42);
    expect(used).toBeLessThanOrEqual(60);
    const refused = await ask(second);
    expect([refused.status, refused.headers.get('x-llm-d-request-dropped-reason')]).toEqual([429, 'tokens-per-day']);
    const secondsLeft = 86_400 - ((Date.now() / 1000) % 86_400);
    expect(Math.abs(Number(refused.headers.get('retry-after')) - secondsLeft)).toBeLessThan(10);
    // Told by all gateways, and by the rows themselves.
    const day = dayOf(Date.now());
    await until(async () => (await tenantUse(database.connection.db, ['acme'], day))('acme').tokensToday === used);
  });

  it('are spent once, whichever gateway has them', async () => {
    await declare({ tokensPerDay: 120 });
    const [a, b] = [await start(), await start()];
    const until_ = performance.now() + 6000;
    let count = 0;
    while (performance.now() < until_) {
      count += (await Promise.all([admitted(a, 1), admitted(b, 1)])).reduce((sum, one) => sum + one);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(count * 6).toBeLessThanOrEqual(120);
    expect(count * 6).toBeGreaterThanOrEqual(72);
  });

  it('are kept count of while Postgres is away', async () => {
    await declare({ tokensPerDay: 60 });
    const gateway = await start();
    expect(await admitted(gateway, 2)).toBe(2);
    await until(async () => (await tenantUse(database.connection.db, ['acme'], dayOf(Date.now())))('acme').tokensToday === 12);
    await postgresAway(true);
    expect(await admitted(gateway, 20)).toBeLessThanOrEqual(8);
    const used = await gauge(gateway, 'tokens_today');
    expect(used).toBeGreaterThan(42);
    expect(used).toBeLessThanOrEqual(60);
    await postgresAway(false);
    await until(async () => {
      // While they are delivered they count once, too.
      expect(await gauge(gateway, 'tokens_today')).toBe(used);
      return (await tenantUse(database.connection.db, ['acme'], dayOf(Date.now())).catch(() => null))?.('acme').tokensToday === used;
    }, 15_000);
    expect(await gauge(gateway, 'tokens_today')).toBe(used);
  });
});

it('limits that are changed or taken away hold within moments', async () => {
  const { db } = database.connection;
  await declare({ requestsPerMinute: 1 });
  const gateway = await start();
  expect(await admitted(gateway, 2)).toBe(1);
  await db.transaction((tx) => updateTenant(tx, { name: 'acme', features: 'full', limits: { requestsInFlight: 5 } }));
  await until(() => admits(gateway));
  await db.transaction((tx) => deleteTenant(tx, 'acme'));
  await until(async () => !(await ask(gateway)).headers.has('x-ratelimit-limit-requests'));
  await until(async () => {
    const [row] = await db.select().from(tenantShares).where(eq(tenantShares.gatewayId, gateway.gatewayId));
    return Object.keys(row!.claims).length === 0;
  });
});
