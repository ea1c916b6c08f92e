import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withFailures } from '../activities/failures.ts';
import { createWeightActivities } from '../activities/host/weights.ts';
import { UellmError } from '../core/domain/errors.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, type MockWorld } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import type { deployModel } from './deploy-model.ts';
import { CONTROL_TASK_QUEUE, rolloutStatusQuery, weightsProgressSignal, workflowIds } from './messages.ts';
import type { placeReplica } from './place-replica.ts';

let temporal: TestNamespace;
let world: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h2'], () => world);
});
afterAll(() => temporal.close());

it('shows how far a fetch is on the stage of the rollout, which is not over before the weights are there', async () => {
  world = createMockWorld();
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  world.activities.fetchWeights = async () => {
    await arrived;
    return '/cache/tiny holds them';
  };
  const rollout = await temporal.client.workflow.start<typeof deployModel>('deployModel', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.deploy('chat-r2'),
    args: [{ rolloutId: 'chat-r2' }],
  });
  const fetch = async () => (await rollout.query(rolloutStatusQuery)).stages.find((s) => s.stage === 'fetch');
  await expect.poll(async () => (await fetch())?.state, { timeout: 20_000 }).toBe('running');

  const placing = temporal.client.workflow.getHandle(workflowIds.place('new-1'));
  for (const line of ['copies /share: 1.0 GB of 9.0 GB (11 %)', 'copies /share: 3.0 GB of 9.0 GB (33 %)']) {
    await placing.signal(weightsProgressSignal, line);
    await expect.poll(fetch, { timeout: 20_000 }).toMatchObject({ state: 'running', detail: `new-1 on h2: ${line}` });
  }
  arrive();
  const status = await rollout.result();
  expect(status.phase).toBe('succeeded');
  expect(status.stages.find((s) => s.stage === 'fetch')).toMatchObject({ state: 'done', detail: 'new-1 on h2: /cache/tiny holds them' });
});

it('tries a fetch again for as long as something has advanced of late, over all attempts', async () => {
  world = createMockWorld();
  let attempts = 0;
  const ensure = async () => {
    attempts += 1;
    throw new UellmError({ kind: 'unavailable', what: 'hf://a/b', reason: 'the hub answers 503' });
  };
  const { fetchWeights } = withFailures(createWeightActivities({ weights: { ensure, pathOf: async () => undefined, stallMs: 3000 } }));
  world.activities.fetchWeights = (spec) => fetchWeights({ ...spec, engine: 'vllm' });
  const failure = await temporal.client.workflow
    .execute<typeof placeReplica>('placeReplica', { taskQueue: CONTROL_TASK_QUEUE, workflowId: workflowIds.place('r3'), args: ['r3'] })
    .catch((error: WorkflowFailedError) => error);
  expect(failure).toMatchObject({
    cause: { cause: { type: 'engine-failed', message: expect.stringMatching(/503; nothing has advanced for 3 s$/) } },
  });
  expect(attempts).toBeGreaterThan(1);
  expect(world.calls.map((c) => c.name)).toContain('endReplica');
});
