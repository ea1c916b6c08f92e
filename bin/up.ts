/**
 * Role `up`: the whole system on one machine. A supervisor starts Postgres, Temporal and our own roles in order, keeps them running,
 * declares a fleet and sends it traffic, and ends everything in reverse order on Ctrl-C. In production the same roles run by themselves.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createApiClient } from '../api/client.ts';
import { readTraceFile } from '../cli/simulation/trace-file.ts';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type { DeclaredObject } from '../core/domain/objects.ts';
import type { Trace } from '../core/simulator/traces/trace.ts';
import { connectDatabase } from '../db/client.ts';
import { processStartTime } from '../engines/process-identity.ts';
import type { Traffic } from './demo/traffic.ts';
import { type Environment, onThisMachine } from './environment.ts';
import { claimPidFile, removeIfEmpty } from './processes/pid-file.ts';
import { createSupervisor, endLeftovers } from './processes/supervisor.ts';
import { requireOwnKey } from './requirements.ts';
import { formatAddresses } from './up/addresses.ts';
import { startClients } from './up/clients.ts';
import { surviveClosedOutput } from './up/closed-output.ts';
import { makeFirstKey } from './up/first-key.ts';
import { declareFleet } from './up/fleet.ts';
import { listenForInterrupts } from './up/interrupts.ts';
import { layoutOf } from './up/layout.ts';
import { createLiveView, type LiveView } from './up/live.ts';
import { localHosts, readObjects } from './up/objects.ts';
import { checkPorts } from './up/ports.ts';
import { shutDown } from './up/shutdown.ts';
import { type StartedSystem, startSystem } from './up/start.ts';
import { readStatus } from './up/status.ts';

const DEMO_FLEET = fileURLToPath(new URL('../infra/demo/fleet.yaml', import.meta.url));

export interface UpOptions {
  /** Objects to declare instead of the demo's. */
  fleet?: string | undefined;
  /** A trace to replay instead of generated traffic. */
  trace?: string | undefined;
  /** false: no demo fleet, no traffic. */
  demo: boolean;
  /** What named the data folder, for the error about one that is in use. */
  dataDirFrom: '--data-dir' | 'UELLM_DATA_DIR';
}

/** What `--fleet` and `--trace` hold, read before anything starts. */
interface Demo {
  objects: DeclaredObject[];
  trace: Trace | undefined;
  traffic: boolean;
}

/** Runs until it is interrupted. @returns the exit code. @throws invalid-input where an option, a port or the data folder is not usable */
export async function runUp(environment: Environment, options: UpOptions): Promise<number> {
  surviveClosedOutput();
  requireOwnKey(environment);
  const fleet = options.fleet ?? (options.demo ? DEMO_FLEET : undefined);
  const demo: Demo = {
    objects: fleet ? readObjects(fleet) : [],
    trace: options.trace ? await readTraceFile(options.trace) : undefined,
    traffic: options.demo,
  };
  const { dataDir } = environment;
  const isNew = mkdirSync(dataDir, { recursive: true, mode: 0o755 }) !== undefined;
  const self = { pid: process.pid, startTime: processStartTime(process.pid) ?? '', stopSignal: 'SIGINT' } as const;
  const lock = claimPidFile(layoutOf(dataDir).lockFile, self);
  if ('holder' in lock) {
    const allowed = `a folder that no other uellm runs on; process ${lock.holder.pid} does on this one`;
    throw new UellmError({ kind: 'invalid-input', what: 'data folder', issues: [{ field: options.dataDirFrom, given: dataDir, allowed }] });
  }
  try {
    return await runLocked(onThisMachine(environment), demo);
  } finally {
    lock.release();
    if (isNew) removeIfEmpty(dataDir); // nothing came of it
  }
}

async function runLocked(environment: Environment, demo: Demo): Promise<number> {
  const interrupts = listenForInterrupts();
  const view = createLiveView(process.stdout);
  const layout = layoutOf(environment.dataDir);
  const left = await endLeftovers(layout.runDir);
  if (left.length > 0) view.print(`ended what an earlier run left behind: ${left.join(', ')}`);
  await checkPorts(environment);

  const supervisor = createSupervisor({ runDir: layout.runDir, onEvent: view.print, signal: interrupts.end });
  const hosts = localHosts(demo.objects);
  let exitCode = 0;
  try {
    const system = await startSystem({ environment, layout, supervisor, hosts, signal: interrupts.end, print: view.print });
    await serve(system, demo, interrupts.end, view);
  } catch (error) {
    if (!interrupts.end.aborted) {
      view.print(`uellm cannot go on: ${messageOf(error)}`);
      exitCode = 1;
    }
  }
  await shutDown({ environment, layout, supervisor, hosts }, interrupts.hurry, view.print);
  return exitCode;
}

/** Everything serves: says where, sets the demo going, and shows how it goes until the end. */
async function serve(
  { environment, databaseUrl, temporalUiUrl }: StartedSystem,
  demo: Demo,
  end: AbortSignal,
  view: LiveView,
): Promise<void> {
  const deployments = demo.objects.flatMap((object) => (object.kind === 'Deployment' ? [object.spec] : []));
  const { apiKey, apiUrl: api, gatewayUrl: gateway } = environment;
  const [model] = deployments;
  const database = connectDatabase(databaseUrl, { maxConnections: 2 });
  const { adminKeyFile } = layoutOf(environment.dataDir);
  view.print(
    formatAddresses({
      api,
      gateway,
      temporalUi: temporalUiUrl,
      dataDir: environment.dataDir,
      model: model?.name,
      needsKey: apiKey !== undefined,
      firstKey: apiKey === undefined ? await makeFirstKey(database.db, adminKeyFile, process.stdout.isTTY) : null,
    }),
  );

  let traffic: Traffic | undefined;
  let watchedSinceMs = Date.now();
  const over = new AbortController();
  const shown = view.run(
    () => readStatus(database.db, Date.now(), watchedSinceMs, traffic?.counts() ?? null),
    AbortSignal.any([end, over.signal]),
  );
  try {
    await declareFleet(createApiClient({ url: api, apiKey }), demo.objects, end, view.print);
    if (demo.traffic && deployments.length > 0) {
      traffic = await startClients({ gatewayUrl: gateway, apiKey, deployments, trace: demo.trace, signal: end });
      watchedSinceMs = Date.now();
      await traffic.done;
    }
    await shown;
  } finally {
    over.abort();
    await shown;
    await database.close();
  }
}
