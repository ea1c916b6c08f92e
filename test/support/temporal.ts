/** A Temporal namespace of a suite's own on the shared real server: task queues and workflow ids of other suites cannot meet its. */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import { inject } from 'vitest';
import { ensureSearchAttributes } from '../../bin/temporal-setup.ts';
import { recordHistories } from './histories.ts';

export interface TestNamespace {
  namespace: string;
  client: Client;
  /** A running worker; stopped with the namespace at the latest. */
  startWorker(taskQueue: string, activities: object): Promise<RunningWorker>;
  close(): Promise<void>;
}

export interface RunningWorker {
  stop(): Promise<void>;
}

export async function createTestNamespace(): Promise<TestNamespace> {
  quietRuntime();
  const address = inject('temporalAddress');
  const namespace = `test-${randomUUID()}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 24 * 3600 } as never });
  await untilUsable(connection, namespace);
  await ensureSearchAttributes(connection, namespace);
  const native = await NativeConnection.connect({ address });
  const workers = new Set<RunningWorker>();
  return {
    namespace,
    client: new Client({ connection, namespace }),
    async startWorker(taskQueue, activities) {
      const worker = await Worker.create({
        connection: native,
        namespace,
        taskQueue,
        activities,
        workflowBundle: workflowBundle(),
        shutdownGraceTime: '1s',
        stickyQueueScheduleToStartTimeout: '1s',
      });
      const running = worker.run();
      const handle: RunningWorker = {
        async stop() {
          workers.delete(handle);
          if (worker.getState() === 'RUNNING') worker.shutdown();
          await running;
        },
      };
      workers.add(handle);
      return handle;
    },
    async close() {
      if (process.env.UELLM_RECORD_HISTORIES) await recordHistories(new Client({ connection, namespace }));
      await Promise.all([...workers].map((w) => w.stop()));
      await native.close();
      await connection.close();
    },
  };
}

/** A namespace takes a moment to reach the server's caches. */
async function untilUsable(connection: Connection, namespace: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      return;
    } catch (error) {
      if (attempt >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Made once for a run, by `global-setup.ts`. */
export function workflowBundle(): WorkflowBundleOption {
  return { codePath: inject('workflowBundle') };
}

let quiet = false;

export function quietRuntime(): void {
  if (quiet) return;
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  quiet = true;
}
