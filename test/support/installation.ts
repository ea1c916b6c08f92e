/**
 * A whole installation of its own, Postgres and Temporal included, each part a process that can be killed and started again on the same data.
 * It knows nothing of vitest: the chaos run and the bench of the control plane are programs as well.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { prepareEmbeddedPostgres } from '../../bin/embedded/postgres.ts';
import { embeddedTemporal } from '../../bin/embedded/temporal.ts';
import { findTemporalBinary } from '../../bin/embedded/temporal-binary.ts';
import { engineDrivers } from '../../bin/engine-drivers.ts';
import { type Environment, readEnvironment } from '../../bin/environment.ts';
import { endProcess, type LaunchedProcess, launch, type ProcessSpec, waitUntilReady } from '../../bin/processes/launch.ts';
import { isPortFree } from '../../bin/processes/ports.ts';
import { type Layout, layoutOf } from '../../bin/up/layout.ts';
import { hostSpec, roleSpec } from '../../bin/up/roles.ts';
import { connectDatabase, type DatabaseConnection } from '../../db/client.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { createEngineHost } from '../../engines/host.ts';
import { isRunning, processStartTime } from '../../engines/process-identity.ts';
import { type Link, openLink } from './link.ts';

export interface InstallationOptions {
  /** Everything is kept here; removed at the end. Postgres' account must be able to enter it. */
  directory: string;
  /** Host workers, by the hosts that each process serves. */
  hostWorkers: Record<string, readonly string[]>;
  controls: number;
  gateways: number;
  /** Host workers reach Temporal by a link that can be cut. */
  cuttable: boolean;
  env?: Record<string, string>;
  /** Processes that are not started yet. */
  later?: readonly string[];
  /** Leaves the folder with its logs where it is. */
  keep?: boolean | undefined;
  /** When no process runs any more. */
  beforeRemoval?: () => void;
}

export interface Installation {
  environment: Environment;
  layout: Layout;
  database: DatabaseConnection;
  temporal: Client;
  hosts: readonly string[];
  /** Gateway process → its base URL. */
  gateways: ReadonlyMap<string, string>;
  /** Host worker process → its way to Temporal; empty where they are not cuttable. */
  links: ReadonlyMap<string, Link>;
  /** Every process, in the order in which they are started. */
  processes: readonly string[];
  /** Starts a process that does not run, and waits until it serves. */
  start(name: string): Promise<void>;
  /** SIGKILL, to Postgres' children as well; all gone when this returns. Engines outlive their host worker. */
  kill(name: string): Promise<void>;
  /** null while it does not run. */
  pidOf(name: string): number | null;
  /** A call of the REST API. @returns its JSON. @throws ApiRefusal for any status of 400 and above; what fetch throws where nobody answers */
  api<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  close(): Promise<void>;
}

export class ApiRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const NAMESPACE = 'default';
/** Below the ports that the kernel gives to clients: one that reconnects for ever would otherwise once take the server's own. */
const PORTS = { first: 16_000, last: 31_000 };

export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { directory, hostWorkers, env = {} } = options;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const layout = layoutOf(directory);
  const ports = stablePorts();
  const postgres = await prepareEmbeddedPostgres({
    dataDir: directory,
    logFile: layout.logOf('postgres'),
    durable: true,
    port: await ports(),
  });
  const temporalPort = await ports();
  const base = {
    UELLM_LOG_LEVEL: 'info',
    ...env,
    DATABASE_URL: postgres.url,
    TEMPORAL_NAMESPACE: NAMESPACE,
    TEMPORAL_ADDRESS: `127.0.0.1:${temporalPort}`,
    UELLM_DATA_DIR: directory,
    UELLM_API_PORT: String(await ports()),
    UELLM_PROFILER_PORT: String(await ports()),
    UELLM_TEMPORAL_PORT: String(temporalPort),
    UELLM_TEMPORAL_UI_PORT: String(await ports()),
  };
  const withGateway = async () => readEnvironment({ ...base, UELLM_GATEWAY_PORT: String(await ports()) });
  const environment = await withGateway();
  const command = await findTemporalBinary({ cacheDir: readEnvironment().cacheDir });

  const specs = new Map<string, ProcessSpec>();
  const gateways = new Map<string, string>();
  const links = new Map<string, Link>();
  const add = (name: string, spec: ProcessSpec) => specs.set(name, { ...spec, name, logFile: layout.logOf(name) });

  add('postgres', postgres.spec);
  add(
    'temporal',
    embeddedTemporal({
      command,
      address: '127.0.0.1',
      port: temporalPort,
      uiPort: environment.ports.temporalUi,
      namespace: NAMESPACE,
      databaseFile: layout.temporalDatabase,
      logFile: '',
    }),
  );
  add('profiler', roleSpec('profiler', [], environment, layout));
  for (let i = 1; i <= options.controls; i++) add(`control-${i}`, roleSpec('control', [], environment, layout));
  for (const [name, hosts] of Object.entries(hostWorkers)) {
    const link = options.cuttable ? await openLink(temporalPort) : undefined;
    if (link) links.set(name, link);
    const address = link ? `127.0.0.1:${link.port}` : environment.temporal.address;
    add(name, hostSpec(hosts, { ...environment, temporal: { address, namespace: NAMESPACE } }, layout));
  }
  for (let i = 1; i <= options.gateways; i++) {
    const own = { ...(await withGateway()), dataDir: join(directory, `gateway-${i}`) };
    add(`gateway-${i}`, roleSpec('gateway', [], own, layout));
    gateways.set(`gateway-${i}`, `http://127.0.0.1:${own.ports.gateway}`);
  }
  add('api', roleSpec('api', [], environment, layout));

  const running = new Map<string, LaunchedProcess>();
  const hosts = Object.values(hostWorkers).flat();
  const apiUrl = `http://127.0.0.1:${environment.ports.api}/api/v1`;
  let database: DatabaseConnection | undefined;
  let connection: Connection | undefined;

  async function start(name: string): Promise<void> {
    if (running.has(name)) throw new Error(`${name} runs`);
    const launched = await launch(specs.get(name)!);
    running.set(name, launched);
    await waitUntilReady(launched);
  }

  async function kill(name: string): Promise<void> {
    const launched = running.get(name);
    if (!launched) throw new Error(`${name} does not run`);
    running.delete(name);
    // Postgres' children lead groups of their own and end with it; a host worker's engines outlive it.
    const children = name === 'postgres' ? descendants(launched.pid) : [];
    const family = [launched.pid, ...children].map((pid) => ({ pid, startTime: processStartTime(pid) ?? '' }));
    for (const { pid } of family) signal(pid, 'SIGKILL');
    await launched.exited;
    while (family.some(isRunning)) await delay(10);
  }

  async function close(): Promise<void> {
    const end = async (names: readonly string[]) => {
      await Promise.all(
        names.map(async (name) => {
          const launched = running.get(name);
          const polite = specs.get(name)!.stopSignal;
          if (launched) await endProcess(launched, { signal: polite, graceSeconds: 5 });
        }),
      );
    };
    const servers = ['temporal', 'postgres'];
    await end([...specs.keys()].filter((name) => !servers.includes(name)));
    await Promise.all(
      hosts.map((host) =>
        createEngineHost({
          directory: layout.hostDir(host),
          drivers: engineDrivers(environment, layout.hostDir(host)),
          logger: pino({ level: 'silent' }),
        })
          .stopAll({ graceSeconds: 1 })
          .catch(() => undefined),
      ),
    );
    await Promise.all([...links.values()].map((link) => link.close()));
    await connection?.close();
    await database?.close();
    await end(servers);
    if (options.keep) return;
    options.beforeRemoval?.();
    rmSync(postgres.directory, { recursive: true, force: true });
    rmSync(directory, { recursive: true, force: true });
  }

  try {
    await Promise.all(['postgres', 'temporal'].map(start));
    await migrateDatabase(postgres.url);
    await Promise.all([...specs.keys()].filter((name) => !running.has(name) && !options.later?.includes(name)).map(start));
    connection = await Connection.connect({ address: environment.temporal.address! });
    database = connectDatabase(postgres.url, { maxConnections: 4 });
  } catch (error) {
    await close();
    throw error;
  }

  return {
    environment,
    layout,
    database,
    temporal: new Client({ connection, namespace: NAMESPACE }),
    hosts,
    gateways,
    links,
    processes: [...specs.keys()],
    start,
    kill,
    pidOf: (name) => running.get(name)?.pid ?? null,
    async api(method, path, body) {
      const response = await fetch(apiUrl + path, {
        method,
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(20_000),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new ApiRefusal(response.status, `${method} ${path}: ${response.status} ${text}`);
      return (text ? JSON.parse(text) : undefined) as never;
    },
    close,
  };
}

/** Ports that are free now, no two of them the same. */
function stablePorts(): () => Promise<number> {
  let next = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
  return async () => {
    for (;;) {
      next = next >= PORTS.last ? PORTS.first : next + 1;
      if (await isPortFree(next)) return next;
    }
  };
}

/** Pids of all children, and theirs. */
export function descendants(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      return [{ pid: Number(entry), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }];
    } catch {
      return []; // it has just ended
    }
  });
  const below = (parent: number): number[] => parents.filter((p) => p.parent === parent).flatMap((p) => [p.pid, ...below(p.pid)]);
  return below(pid);
}

/** A process that is gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
