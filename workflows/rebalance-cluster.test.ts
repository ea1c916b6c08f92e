import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, NOTHING_LEFT, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, cancelRebalanceUpdate, workflowIds } from './messages.ts';
import type { rebalanceCluster, scheduledRebalance } from './rebalance-cluster.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
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

  it('is skipped where rollouts and drains hold everything, and says which', async () => {
    const world = worldWith(nothing);
    world.holds = [{ kind: 'waiting', on: 'rollout', subject: 'chat', message: 'rollout r1 is changing chat' }];
    expect(await (await rebalance(false)).result()).toMatchObject({
      outcome: 'skipped',
      reason: 'nothing to move; left alone: rollout r1 is changing chat',
      held: world.holds,
    });
  });

  it('cancelled, undoes the move under way and keeps the one that is done', async () => {
    const world = worldWith({ ...moves, places: [place('new-1', 'h2', 'old-1'), place('new-2', 'h2', 'old-2')] });
    world.replicas.set('old-2', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.activities.awaitRequestsFinished = async (id) => {
      if (id === 'old-2') await held;
      return NOTHING_LEFT;
    };
    const running = await rebalance(false);
    await expect.poll(() => world.replicas.has('old-1'), { timeout: 15_000 }).toBe(false);
    await expect.poll(() => world.replicas.get('old-2')?.state, { timeout: 15_000 }).toBe('draining');
    await running.executeUpdate(cancelRebalanceUpdate, { args: [{ by: 'ann' }] });
    expect(await running.result()).toMatchObject({ outcome: 'cancelled', reason: 'cancelled by ann: 1 of 2 moves done, 1 undone' });
    release();
    expect([...world.replicas.keys()].sort()).toEqual(['new-1', 'old-2']);
    expect(world.replicas.get('old-2')).toMatchObject({ state: 'ready', weight: 100, engine: true });
    expect(world.moving.size).toBe(0);
  });

  it('undoes a move whose new replica does not come up', async () => {
    const world = worldWith(moves);
    world.fail.awaitEngineReady = { error: engineFailed('no memory'), times: Number.POSITIVE_INFINITY };
    const result = await (await rebalance(false)).result();
    expect(result.reason).toContain('0 of 1 moves done; ');
    expect([...world.replicas]).toEqual([['old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
  });
});
