/**
 * Role `host`: the Temporal worker of a GPU host, on the task queue `host-<name>`. It starts and stops engines there and knows no
 * database. Demo hosts share one process: it takes several names.
 */
import { join } from 'node:path';
import { Client, Connection, WorkflowIdConflictPolicy } from '@temporalio/client';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { readMemoryUse } from '../activities/host/probe/memory.ts';
import { type ProbeWatch, watchProbe } from '../activities/host/probe/watch.ts';
import { createHostActivities } from '../activities/index.ts';
import { createEngineHost } from '../engines/host.ts';
import { createWeightStore, type WeightStore } from '../engines/weights/store.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue, hostWorkerStartedSignal, workflowIds } from '../workflows/messages.ts';
import { createCodec, dataConverterOf } from './codec.ts';
import { engineDrivers } from './engine-drivers.ts';
import type { Environment } from './environment.ts';
import { keepRecentLines, type RecentLines } from './recent-lines.ts';
import { CLOSE_WITHIN_MS, runRole } from './role.ts';
import { connectWorker, installRuntime, metricsAddress } from './temporal-runtime.ts';
import { temporalConnection } from './tls.ts';
import { layoutOf } from './up/layout.ts';

export async function runHost(environment: Environment, names: readonly string[]): Promise<void> {
  const recent = keepRecentLines();
  const serve = async (logger: Logger) => {
    installRuntime(logger, metricsAddress(environment));
    const connection = await connectWorker(temporalConnection(environment), logger);
    const converter = dataConverterOf(createCodec(environment.codecKeyFile));
    const probe = watchProbe(logger);
    const workers = await Promise.all(
      names.map((name) => createHostWorker(environment, { connection, ...converter }, name, { probe, recent }, logger)),
    );
    const running = Promise.all(workers.map((worker) => worker.run())); // a rejection ends the process
    await announce(environment, converter, names);
    return async () => {
      probe.stop();
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    };
  };
  await runRole('host', environment.logLevel, serve, CLOSE_WITHIN_MS, recent.destination);
}

async function createHostWorker(
  environment: Environment,
  temporal: Pick<WorkerOptions, 'connection' | 'dataConverter'>,
  host: string,
  { probe, recent }: { probe: ProbeWatch; recent: RecentLines },
  logger: Logger,
): Promise<Worker> {
  const directory = layoutOf(environment.dataDir).hostDir(host);
  const drivers = engineDrivers(environment, directory);
  const log = logger.child({ host });
  const memory = { read: () => readMemoryUse() };
  const engines = createEngineHost({ directory, drivers, address: environment.engineAddress, logger: log, memory });
  const weights = weightStore(environment, directory, log);
  return Worker.create({
    ...temporal,
    namespace: environment.temporal.namespace,
    taskQueue: hostTaskQueue(host),
    activities: createHostActivities({ engines, drivers, probed: probe.latest, workerLog: () => recent.of(host), weights }),
    // A host is asked little at once, and a fleet of hosts polls one server.
    activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
    // The SDK would hold beats back for 0.8 of their timeout: one that is then late would be a host lost.
    maxHeartbeatThrottleInterval: '5s',
    shutdownGraceTime: '1s',
    shutdownForceTime: '5s',
  });
}

/** @param directory the host's own folder */
function weightStore({ modelCacheDir, hfCommand, fetchStallMinutes }: Environment, directory: string, logger: Logger): WeightStore | null {
  if (modelCacheDir === undefined) return null;
  return createWeightStore({
    directory: modelCacheDir,
    engineFile: (replicaId) => join(directory, 'engines', `${replicaId}.json`),
    hubCommand: hfCommand,
    stallMs: fetchStallMinutes * 60_000,
    logger,
  });
}

/** Says hello to each host's entity workflow, and brings it to life the first time. */
async function announce(
  environment: Environment,
  converter: Pick<WorkerOptions, 'dataConverter'>,
  names: readonly string[],
): Promise<void> {
  const { temporal, hostLostSeconds } = environment;
  const connection = await Connection.connect(temporalConnection(environment));
  const client = new Client({ connection, namespace: temporal.namespace, ...converter });
  try {
    for (const host of names) {
      await client.workflow.signalWithStart('hostPresence', {
        workflowId: workflowIds.host(host),
        taskQueue: CONTROL_TASK_QUEUE,
        args: [{ host }],
        signal: hostWorkerStartedSignal,
        signalArgs: [hostLostSeconds],
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        staticSummary: `life of host ${host}`,
      });
    }
  } finally {
    await connection.close();
  }
}
