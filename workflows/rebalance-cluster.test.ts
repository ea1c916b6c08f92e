import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMockWorld, delegating, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue, workflowIds } from './messages.ts';
import type { rebalanceCluster, scheduledRebalance } from './rebalance-cluster.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  const activities = delegating(() => current);
  await Promise.all([CONTROL_TASK_QUEUE, hostTaskQueue('h1'), hostTaskQueue('h2')].map((queue) => temporal.startWorker(queue, activities)));
});
afterAll(() => temporal.close());

const moves = { planId: '', places: [place('new-1', 'h2', 'old-1')], retires: [], waiting: [], summary: 'chat from h1 to h2' };
const nothing = { planId: '', places: [], retires: [], waiting: [], summary: 'nothing to move' };

function worldWith(plan: typeof moves | typeof nothing): MockWorld {
  current = createMockWorld();
  current.replicas.set('old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true });
  current.plans.push(plan);
  return current;
}

const rebalance = (dryRun: boolean, workflowId: string = workflowIds.rebalance) =>
  temporal.client.workflow.start<typeof rebalanceCluster>('rebalanceCluster', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId,
    args: [{ dryRun, requestedBy: 'ann' }],
  });

describe('rebalanceCluster', () => {
  it('moves what the plan says, the new one first', async () => {
    const world = worldWith(moves);
    expect(await (await rebalance(false)).result()).toMatchObject({ outcome: 'moved', reason: '1 of 1 moves done' });
    expect([...world.replicas.keys()]).toEqual(['new-1']);
    expect(world.replicas.get('new-1')).toMatchObject({ state: 'ready', weight: 100 });
  });

  it('moves nothing on a dry run, and nothing where nothing is to be moved', async () => {
    const world = worldWith(moves);
    expect(await (await rebalance(true, 'rebalance-dry-run-1')).result()).toMatchObject({
      outcome: 'dry-run',
      reason: 'chat from h1 to h2',
    });
    expect(world.calls.some((c) => c.name === 'applyPlan')).toBe(false);
    worldWith(nothing);
    expect(await (await rebalance(false)).result()).toMatchObject({ outcome: 'nothing-to-do', planId: null });
  });

  it('shares its lock with the schedule', async () => {
    const world = worldWith(moves);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { awaitRequestsFinished } = world.activities;
    world.activities.awaitRequestsFinished = async (...args) => {
      await held;
      return awaitRequestsFinished(...args);
    };
    const running = await rebalance(false);
    await expect.poll(() => world.replicas.get('old-1')?.state, { timeout: 10_000 }).toBe('draining');
    const scheduled = await temporal.client.workflow.execute<typeof scheduledRebalance>('scheduledRebalance', {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: 'scheduled-1',
      args: [],
    });
    expect(scheduled).toMatchObject({ outcome: 'skipped' });
    release();
    expect(await running.result()).toMatchObject({ outcome: 'moved' });
  });
});
