/** Gateways side by side on one Postgres, in front of one replica. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { replicas } from '../../db/schema/index.ts';
import { createTestDatabase, execute, type TestDatabase } from '../../test/support/database.ts';
import { complete, routedReplica, startRoutedGateway, until } from '../../test/support/gateway.ts';
import { DONE, startUpstream, type TestUpstream, token } from '../../test/support/upstream.ts';
import type { GatewayOptions } from '../options.ts';
import { type Gateway, startGateway } from '../server.ts';

const LIMIT = 8;

/** An engine that ends nothing until it is told to, and says truly what is there. */
interface Engine extends TestUpstream {
  open: number;
  most: number;
  endOne(): void;
}

async function startEngine(): Promise<Engine> {
  const ends: (() => void)[] = [];
  const engine = Object.assign(await startUpstream(), { open: 0, most: 0, endOne: () => ends.shift()?.() });
  const tell = (change: number) => {
    engine.open += change;
    engine.most = Math.max(engine.most, engine.open);
    engine.metrics.text = `vllm:num_requests_running ${engine.open}\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n`;
  };
  engine.answer = (res) => {
    tell(1);
    res.on('close', () => tell(-1));
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(token('x'));
    ends.push(() => res.end(DONE));
  };
  return engine;
}

let engine: Engine;
let gateways: Gateway[];
let asked: Promise<unknown>[];
beforeEach(async () => {
  engine = await startEngine();
  gateways = [];
  asked = [];
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await Promise.all(asked);
  await engine.close();
});

/** So many streams that wait or are open until the engine ends them, or the gateway does. */
function ask(gateway: Gateway, count: number): void {
  for (let i = 0; i < count; i++)
    asked.push(
      complete(gateway, { stream: true }).then(
        (r) => r.text(),
        () => undefined, // the gateway has ended
      ),
    );
}

const common = { address: '127.0.0.1', port: 0, logger: pino({ level: 'fatal' }), closeGraceMs: 0, scrapeIntervalMs: 50 };

interface Told {
  open: number;
  replicas: { inFlight: number }[];
}
async function inFlight(gateway: Gateway): Promise<number> {
  const stats = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as Told;
  return stats.replicas[0]?.inFlight ?? -1;
}
const inFlights = () => Promise.all(gateways.map(inFlight));

/** Ends streams one by one until the gateways have so many open each. */
async function endUntil(expected: number[]): Promise<void> {
  await until(async () => {
    engine.endOne();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return `${await inFlights()}` === `${expected}`;
  }, 15_000);
}

describe('with leases', () => {
  let database: TestDatabase;
  let directory: string;
  beforeEach(async () => {
    database = await createTestDatabase();
    directory = mkdtempSync(join(tmpdir(), 'uellm-sharing-'));
  });
  afterEach(async () => {
    await Promise.all(gateways.map((gateway) => gateway.close()));
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(): Promise<Gateway> {
    const source: GatewayOptions['source'] = {
      kind: 'postgres',
      database: database.connection,
      spoolDir: join(directory, String(gateways.length)),
    };
    const gateway = await startGateway({ ...common, source });
    gateways.push(gateway);
    await until(async () => (await inFlight(gateway)) === 0);
    return gateway;
  }

  async function publish(): Promise<void> {
    await database.connection.db.transaction(async (tx) => {
      const { replicaId, ...row } = routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: LIMIT });
      const place = { accelerators: [0], acceleratorKind: 'L4', tensorParallel: 1, state: 'ready' as const };
      await tx.insert(replicas).values({ ...row, ...place, id: replicaId });
      await bumpRoutingVersion(tx);
    });
  }

  const shares = async () =>
    Promise.all(
      gateways.map(async (gateway) =>
        Number(/^uellm_replica_share\{.*\} (\d+)/m.exec(await (await fetch(`${gateway.url}/metrics`)).text())?.[1]),
      ),
    );

  it('they never have more open than one may, share evenly, and one that is left alone has all of it', async () => {
    await publish();
    const first = await start();
    expect(await shares()).toEqual([LIMIT]);
    ask(first, 100);
    await until(() => engine.open === LIMIT);
    const second = await start();
    ask(second, 50);
    await endUntil([LIMIT / 2, LIMIT / 2]);
    // What ends between two looks at the engine may be taken twice.
    expect(engine.most).toBeLessThan(2 * LIMIT);
    await second.close();
    gateways.pop();
    await until(async () => (await shares())[0] === LIMIT);
    ask(first, LIMIT);
    await until(() => engine.open === LIMIT);
  });

  it('they go on by what the engine says while Postgres is away, and none is left out', async () => {
    await publish();
    const first = await start();
    const second = await start();
    await until(async () => `${await shares()}` === `${[LIMIT / 2, LIMIT / 2]}`);
    const name = new URL(database.url).pathname.slice(1);
    await execute(inject('postgresUrl'), `alter database ${name} with allow_connections false`);
    await execute(inject('postgresUrl'), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    try {
      ask(first, 40);
      // All but what the rounding leaves.
      await until(() => engine.open >= LIMIT - 1);
      ask(second, 20);
      await until(async () => (await inFlight(second)) >= LIMIT / 2);
      await endUntil([LIMIT / 2, LIMIT / 2]);
    } finally {
      await execute(inject('postgresUrl'), `alter database ${name} with allow_connections true`);
    }
  });
});

describe('without leases', () => {
  it('gateways that know how many they are share by what the engine says', async () => {
    const row = routedReplica({ replicaId: 'r1', endpoint: engine.url, maxInFlight: LIMIT });
    for (let i = 0; i < 2; i++) {
      const gateway = await startRoutedGateway({ ...common, gateways: 2 });
      gateway.route([row]);
      gateways.push(gateway);
      ask(gateway, 20);
    }
    await endUntil([LIMIT / 2, LIMIT / 2]);
    expect(engine.most).toBeLessThan(2 * LIMIT);
  });
});
