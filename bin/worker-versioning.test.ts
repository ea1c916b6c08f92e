/** On a real Temporal: two builds of the control worker side by side, told apart by the answer of one activity. */
import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { createTestNamespace, type TestNamespace, workflowBundle } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE } from '../workflows/messages.ts';
import { makeCurrent, versioningOf, WORKER_DEPLOYMENT } from './worker-versioning.ts';

let temporal: TestNamespace;
let native: NativeConnection;
let connection: Connection;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  temporal = await createTestNamespace();
  native = await NativeConnection.connect({ address: inject('temporalAddress') });
  connection = await Connection.connect({ address: inject('temporalAddress') });
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
afterAll(async () => {
  await native.close();
  await connection.close();
  await temporal.close();
});

/** Each build is the only one that finds its own name among the living replicas; the first look of each run waits for `release`. */
async function startBuild(buildId: string, release: Promise<void> = Promise.resolve()) {
  /** A look may be tried again. */
  const looked = new Set<string>();
  const worker = await Worker.create({
    connection: native,
    namespace: temporal.namespace,
    taskQueue: CONTROL_TASK_QUEUE,
    workflowBundle: workflowBundle(),
    activities: {
      replicasOfDeleted: async (deployment: string) => {
        looked.add(deployment);
        await release;
        return [];
      },
    },
    shutdownGraceTime: '1s',
    ...versioningOf(buildId),
  });
  const running = worker.run();
  ends.push(async () => {
    worker.shutdown();
    await running;
  });
  return looked;
}

const begin = (deployment: string) =>
  temporal.client.workflow.start('retireDeployment', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: `retire-${deployment}-${randomUUID()}`,
    args: [{ deployment, requestedBy: 'a test' }],
  });

it('keeps a workflow on the build that it began on, and starts others on the current one', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const old = await startBuild('1', held);
  await makeCurrent(connection, temporal.namespace, '1');
  const first = await begin('chat');
  await expect.poll(() => [...old], { timeout: 20_000 }).toEqual(['chat']);

  const next = await startBuild('2');
  await makeCurrent(connection, temporal.namespace, '2');
  const second = await begin('code');
  expect(await second.result()).toEqual({ retired: 0 });
  release();
  expect(await first.result()).toEqual({ retired: 0 });

  expect({ old: [...old], next: [...next] }).toEqual({ old: ['chat'], next: ['code'] });
  const { versioningInfo } = (await first.describe()).raw.workflowExecutionInfo ?? {};
  expect(versioningInfo?.deploymentVersion).toMatchObject({ deploymentName: WORKER_DEPLOYMENT, buildId: '1' });
});

it('says so where the build never comes', async () => {
  await expect(makeCurrent(connection, temporal.namespace, 'nobody', 600)).rejects.toThrow(/nobody|not found/i);
});
