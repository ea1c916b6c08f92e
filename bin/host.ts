/**
 * Role `host`: the Temporal worker of a GPU host, on the task queue `host-<name>`. It starts and stops engines there and knows no
 * database. Demo hosts share one process: it takes several names.
 */
import { join } from 'node:path';
import { Client, Connection, WorkflowIdConflictPolicy } from '@temporalio/client';
import { type NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { readMemoryUse } from '../activities/host/probe/memory.ts';
import { type ProbeWatch, watchProbe } from '../activities/host/probe/watch.ts';
import { createHostActivities } from '../activities/index.ts';
import { createEngineHost } from '../engines/host.ts';
import { createWeightStore, type WeightStore } from '../engines/weights/store.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue, hostWorkerStartedSignal, workflowIds } from '../workflows/messages.ts';
import { engineDrivers } from './engine-drivers.ts';
import type { Environment } from './environment.ts';
import { temporalAddress } from './requirements.ts';
import { runRole } from './role.ts';
import { connectWorker, installRuntime } from './temporal-runtime.ts';
import { layoutOf } from './up/layout.ts';

export async function runHost(environment: Environment, names: readonly string[]): Promise<void> {
  await runRole('host', environment.logLevel, async (logger) => {
    installRuntime(logger);
    const address = temporalAddress(environment);
    const connection = await connectWorker(address, logger);
    const probe = watchProbe(logger);
    const workers = await Promise.all(names.map((name) => createHostWorker(environment, connection, name, probe, logger)));
    const running = Promise.all(workers.map((worker) => worker.run())); // a rejection ends the process
    await announce(address, environment, names);
    return async () => {
      probe.stop();
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    };
  });
}

async function createHostWorker(
  environment: Environment,
  connection: NativeConnection,
  host: string,
  probe: ProbeWatch,
  logger: Logger,
): Promise<Worker> {
  const directory = layoutOf(environment.dataDir).hostDir(host);
  const drivers = engineDrivers(environment, directory);
  const log = logger.child({ host });
  const memory = { read: () => readMemoryUse() };
  const engines = createEngineHost({ directory, drivers, address: environment.engineAddress, logger: log, memory });
  const weights = weightStore(environment, directory, log);
  return Worker.create({
    connection,
    namespace: environment.temporal.namespace,
    taskQueue: hostTaskQueue(host),
    activities: createHostActivities({ engines, drivers, probed: probe.latest, weights }),
    // A host is asked little at once, and a fleet of hosts polls one server.
    maxConcurrentActivityTaskPolls: 2,
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
async function announce(address: string, { temporal, hostLostSeconds }: Environment, names: readonly string[]): Promise<void> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: temporal.namespace });
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
