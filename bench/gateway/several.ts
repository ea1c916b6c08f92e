/**
 * Gateways side by side before the same two engines, 1, 2 and 4 of them: what is open on an engine over its limit, and what that costs the
 * SLO. `alone` are gateways with a file each, that know nothing of each other; `shared` are those of one control plane's database.
 *
 * Engines are the simulated ones of `bench:validation`, and its requests, in real time. Half of the requests come to the first gateway.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { prepareEmbeddedPostgres } from '../../bin/embedded/postgres.ts';
import { endProcess, type LaunchedProcess, launch, type ProcessSpec, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { createRandom } from '../../core/simulator/random.ts';
import { connectDatabase, type Database } from '../../db/client.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { bumpRoutingVersion } from '../../db/queries/routing.ts';
import { replicas as replicaRows, sloPolicies } from '../../db/schema/index.ts';
import { simulatedEngineEntry } from '../../engines/simulated/entry.ts';
import { readEngineGauges } from '../../gateway/upstream/scrape.ts';
import { figuresOf, type Outcome } from '../validation/outcome.ts';
import { replay } from '../validation/replay.ts';
import * as scenario from '../validation/scenario.ts';
import { uellmBinary } from './routers.ts';

export interface SeveralOptions {
  /** Of the trace, for each number of gateways. */
  seconds: number;
  requestsPerSecond: number;
  /** A checkout of uellm that is built; this one where absent. */
  tree: string | undefined;
  log: (line: string) => void;
}

export interface SeveralResult {
  mode: 'alone' | 'shared';
  gateways: number;
  requests: number;
  failed: number;
  attainment: number;
  ttftP99Ms: number;
  tpotP90Ms: number;
  /** Requests open on an engine, at most. */
  mostOpen: number;
  /** Share of the looks at an engine that found more than the limit there. */
  overShare: number;
  /** Where more than the limit was there, by how many in the mean. */
  meanOver: number;
}

export const LIMIT = 24;
const COUNTS = [1, 2, 4];
const LOOK_EVERY_MS = 50;
/** Until gateways have their leases and have heard of each other. */
const SETTLE_MS = 4000;
const READY_WITHIN_SECONDS = 30;
const POLICY = {
  ...{ name: 'several', match: { model: '*', tenant: '*', class: '*' } },
  ...{ targets: scenario.TARGETS, priority: 0, queue: scenario.QUEUE },
};
const KNOWN = { engine: 'simulated', kvCacheTokens: scenario.KV_CACHE_TOKENS, stepTime: scenario.STEP_TIME, simulated: true } as const;

/** @throws where something is not ready in time */
export async function several(options: SeveralOptions): Promise<SeveralResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'uellm-several-'));
  chmodSync(folder, 0o755); // Postgres may run as somebody else
  const postgres = await prepareEmbeddedPostgres({ dataDir: folder, logFile: join(folder, 'postgres.log'), durable: false });
  const server = await launch(postgres.spec);
  try {
    await waitUntilReady(server);
    await migrateDatabase(postgres.url);
    const database = connectDatabase(postgres.url, { maxConnections: 2 });
    try {
      await database.db.insert(sloPolicies).values({ name: POLICY.name, spec: POLICY });
      const results: SeveralResult[] = [];
      for (const gateways of COUNTS) {
        for (const mode of ['alone', 'shared'] as const) {
          const place = { folder: join(folder, `${mode}-${gateways}`), db: database.db, databaseUrl: postgres.url };
          mkdirSync(place.folder);
          const result = await measure(mode, gateways, place, options);
          results.push(result);
          options.log(`${mode}, ${gateways} gateways: ${JSON.stringify(result)}`);
        }
      }
      return results;
    } finally {
      await database.close();
    }
  } finally {
    await endProcess(server, { signal: postgres.spec.stopSignal, graceSeconds: 5 });
    rmSync(postgres.directory, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Place {
  folder: string;
  db: Database;
  databaseUrl: string;
}

async function measure(mode: SeveralResult['mode'], gateways: number, place: Place, options: SeveralOptions): Promise<SeveralResult> {
  const { seconds, requestsPerSecond, tree } = options;
  const processes: LaunchedProcess[] = [];
  const start = async (name: string, args: string[], port: number, ready: string, env: Record<string, string> = {}) => {
    const url = `http://127.0.0.1:${port}`;
    const launched = await launch({
      ...({ name, command: process.execPath, args, env: { ...process.env, ...env }, stopSignal: 'SIGTERM' } satisfies Partial<ProcessSpec>),
      ...{ logFile: join(place.folder, `${name}.log`), stopGraceSeconds: 5, readyWithinSeconds: READY_WITHIN_SECONDS },
      ready: async () => (await fetch(url + ready, { signal: AbortSignal.timeout(1000) })).ok,
    });
    processes.push(launched);
    await waitUntilReady(launched);
    return url;
  };
  try {
    const engines: string[] = [];
    for (const id of scenario.ENGINES) {
      const [file, port] = [join(place.folder, `${id}.json`), await freePort()];
      writeFileSync(file, JSON.stringify(scenario.engineSpecOf(id)));
      const args = [simulatedEngineEntry, '--spec', file, '--address', '127.0.0.1', '--port', String(port)];
      engines.push(await start(`engine-${id}`, args, port, '/health'));
    }
    const configuration = await route(mode, engines, place);
    const urls: string[] = [];
    for (let i = 1; i <= gateways; i++) {
      const port = await freePort();
      const own = { UELLM_GATEWAY_PORT: String(port), UELLM_LOG_LEVEL: 'warn', UELLM_DATA_DIR: join(place.folder, `gateway-${i}`) };
      urls.push(
        await start(`gateway-${i}`, [uellmBinary(tree), 'gateway', ...configuration.args], port, '/readyz', {
          ...own,
          ...configuration.env,
        }),
      );
    }
    await delay(SETTLE_MS);
    const requests = scenario.requestsOf({ requestsPerSecond, seconds, seed: 'several' });
    const random = createRandom('several');
    const gatewayOf = requests.map(() => (random() < 0.5 ? 0 : Math.floor(random() * gateways)));
    const looking = watch(engines);
    const ours = (at: number) => requests.filter((_, i) => gatewayOf[i] === at);
    const replayed = await Promise.all(urls.map((url, at) => replay(url, ours(at)))).finally(looking.stop);
    const open = await looking.stop();
    return resultOf(
      mode,
      gateways,
      replayed.flatMap((r) => r.outcomes),
      open,
    );
  } finally {
    for (const launched of processes.reverse()) await endProcess(launched, { signal: 'SIGTERM', graceSeconds: 5 });
  }
}

interface Told {
  args: string[];
  env: Record<string, string>;
}

/** Makes the engines known. @returns how a gateway is told of them */
async function route(mode: SeveralResult['mode'], engines: readonly string[], { folder, db, databaseUrl }: Place): Promise<Told> {
  if (mode === 'alone') {
    const file = join(folder, 'gateway.json');
    const listed = engines.map((endpoint, i) => ({
      ...{ id: scenario.ENGINES[i], endpoint, model: scenario.MODEL, deployment: scenario.DEPLOYMENT, maxInFlight: LIMIT },
      ...KNOWN,
    }));
    writeFileSync(file, JSON.stringify({ replicas: listed, policies: [POLICY] }));
    return { args: ['--config', file], env: {} };
  }
  await db.transaction(async (tx) => {
    await tx.delete(replicaRows);
    for (const [i, endpoint] of engines.entries()) {
      await tx.insert(replicaRows).values({
        ...{ id: scenario.ENGINES[i]!, model: scenario.MODEL, deployment: scenario.DEPLOYMENT, revision: 1, host: 'h1', accelerators: [i] },
        ...{ acceleratorKind: 'H100-SXM', tensorParallel: 1, endpoint, state: 'ready', weight: 100, maxInFlight: LIMIT },
        ...KNOWN,
      });
    }
    await bumpRoutingVersion(tx);
  });
  return { args: [], env: { DATABASE_URL: databaseUrl } };
}

/** Looks at what is open on each engine, running or waiting there, until it is stopped. */
function watch(engines: readonly string[]) {
  const open: number[] = [];
  let stopped = false;
  const look = async (engine: string) => {
    while (!stopped) {
      // One that does not answer at once is looked at again: who fails is told by its requests, and an engine may end before its watch.
      const text = await fetch(`${engine}/metrics`).then(
        (response) => response.text(),
        () => '',
      );
      const gauges = readEngineGauges(text);
      if (gauges) open.push(gauges.running + gauges.waiting);
      await delay(LOOK_EVERY_MS);
    }
  };
  const looking = Promise.all(engines.map(look));
  return {
    stop: async () => {
      stopped = true;
      await looking;
      return open;
    },
  };
}

export function resultOf(
  mode: SeveralResult['mode'],
  gateways: number,
  outcomes: readonly (Outcome | null)[],
  open: readonly number[],
): SeveralResult {
  const { requests, attainment, ttftMs, tpotMs } = figuresOf(outcomes);
  const over = open.filter((n) => n > LIMIT).map((n) => n - LIMIT);
  return {
    ...{ mode, gateways, requests, failed: outcomes.filter((o) => o === null).length, attainment },
    ...{ ttftP99Ms: ttftMs.p99, tpotP90Ms: tpotMs.p90, mostOpen: Math.max(0, ...open) },
    overShare: over.length / Math.max(1, open.length),
    meanOver: over.reduce((sum, n) => sum + n, 0) / Math.max(1, over.length),
  };
}
