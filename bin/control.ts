/** Role `control`: the Temporal worker that runs all workflows, and the activities that need the database. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createControlActivities } from '../activities/index.ts';
import type { PlanInput, PlanOutput } from '../core/placement/types.ts';
import { createProfilerClient } from '../profiler/client.ts';
import { CONTROL_TASK_QUEUE } from '../workflows/messages.ts';
import { createCodec, dataConverterOf, workflowBundleOf } from './codec.ts';
import type { Environment } from './environment.ts';
import { requireDatabase } from './requirements.ts';
import { runRole } from './role.ts';
import { connectWorker, installRuntime, metricsAddress } from './temporal-runtime.ts';
import { ensureMonitorSchedule, ensureRebalanceSchedule, ensureSearchAttributes } from './temporal-setup.ts';
import { createThread } from './thread.ts';
import { temporalConnection } from './tls.ts';
import { makeCurrent, versioningOf } from './worker-versioning.ts';

const REBALANCE_EVERY_MINUTES = 5;
/** Written by the build beside the compiled code: no bundler runs at start. */
const WORKFLOW_BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

export async function runControl(environment: Environment): Promise<void> {
  await runRole('control', environment.logLevel, async (logger) => {
    if (!existsSync(WORKFLOW_BUNDLE)) throw new Error(`${WORKFLOW_BUNDLE} is missing: run \`npm run build\``);
    installRuntime(logger, metricsAddress(environment));
    const server = temporalConnection(environment);
    const codec = createCodec(environment.codecKeyFile);
    const converter = dataConverterOf(codec);
    const { build, temporal } = environment;
    const { namespace } = temporal;
    const database = requireDatabase(environment, logger, 16);
    const native = await connectWorker(server, logger);
    const connection = await Connection.connect(server);
    await ensureSearchAttributes(connection, namespace);
    const client = new Client({ connection, namespace, ...converter });
    await ensureRebalanceSchedule(client, REBALANCE_EVERY_MINUTES);
    await ensureMonitorSchedule(client, environment.monitorSeconds);

    // A plan of a large fleet takes seconds; heartbeats and polling go on meanwhile.
    const planner = createThread<PlanInput, PlanOutput>(new URL('./planning-thread.js', import.meta.url));
    const profiler = createProfilerClient({ url: environment.profilerUrl, apiKey: environment.apiKey });
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue: CONTROL_TASK_QUEUE,
      workflowBundle: workflowBundleOf(WORKFLOW_BUNDLE, codec),
      ...converter,
      activities: createControlActivities({
        db: database.db,
        now: Date.now,
        newId: randomUUID,
        maxMoving: environment.maxMoving,
        plan: planner.ask,
        profileShapes: (model, accelerators) => profiler.profileShapes(model, accelerators),
        recalibrateLengths: (recalibration) => profiler.recalibrate(recalibration),
      }),
      // After a kill, workflows wait so long for the worker that had them in its cache, as for its activities. Each that waits in vain, for a
      // worker that is only busy, is read and replayed from its beginning, and makes it busier.
      stickyQueueScheduleToStartTimeout: '5s',
      shutdownGraceTime: '2s',
      shutdownForceTime: '5s',
      ...versioningOf(build.id),
    });
    const running = worker.run(); // a rejection ends the process, and the supervisor starts it again
    if (build.id !== undefined && build.makeCurrent) await makeCurrent(connection, namespace, build.id);
    await connection.close();
    return async () => {
      worker.shutdown();
      await running;
      await planner.close();
      await native.close();
      await database.close();
    };
  });
}
