import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMockWorld, delegating, engineFailed, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import type { drainNode } from './drain-node.ts';
import { CONTROL_TASK_QUEUE, cancelDrainUpdate, drainStatusQuery, hostTaskQueue, workflowIds } from './messages.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  const activities = delegating(() => current);
  await Promise.all([CONTROL_TASK_QUEUE, hostTaskQueue('h1'), hostTaskQueue('h2')].map((queue) => temporal.startWorker(queue, activities)));
});
afterAll(() => temporal.close());

function createWorld(state = 'ready'): MockWorld {
  const world = createMockWorld();
  world.replicas.set('old-1', { revision: 1, host: 'h1', state, weight: 100, engine: true });
  return world;
}

async function drain(world: MockWorld) {
  current = world;
  return temporal.client.workflow.start<typeof drainNode>('drainNode', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.drain('h1'),
    args: [{ host: 'h1', requestedBy: 'ann' }],
  });
}

const moves = { planId: '', places: [place('new-1', 'h2', 'old-1')], retires: [], waiting: [], summary: 'moves old-1 to h2' };
const waiting = {
  kind: 'waiting',
  on: 'accelerators',
  subject: 'old-1',
  message: 'no free L4 elsewhere',
  nearest: 'fits with 1 more L4',
} as const;

describe('drainNode', () => {
  it('makes before it breaks, and leaves a receipt', async () => {
    const world = createWorld();
    world.plans.push(moves);
    const status = await (await drain(world)).result();
    expect(status).toMatchObject({ phase: 'drained', remaining: [] });
    expect(status.receipt).toMatchObject({
      host: 'h1',
      moved: [{ replicaId: 'old-1', replacedBy: 'new-1', toHost: 'h2' }],
      requestsFinished: 3,
      requestsDropped: 0,
    });
    expect(world.hostService).toBe('drained');
    const names = world.calls.map((c) => c.name);
    expect(names.indexOf('setHostService')).toBeLessThan(names.indexOf('planPlacement'));
    expect(names.indexOf('routeReplicas')).toBeLessThan(names.indexOf('unrouteReplica'));
    expect(names.indexOf('awaitRequestsFinished')).toBeLessThan(names.indexOf('stopEngine'));
  });

  it('waits for a replica that is starting there', async () => {
    const world = createWorld('starting');
    const handle = await drain(world);
    await expect.poll(async () => (await handle.query(drainStatusQuery)).reason, { timeout: 10_000 }).toContain('old-1 (starting)');
    expect(world.calls.some((c) => c.name === 'planPlacement')).toBe(false);
    world.plans.push(moves);
    world.replicas.get('old-1')!.state = 'ready';
    expect((await handle.result()).phase).toBe('drained');
  });

  it('is cancelled with the host in service again, saying why it waited until then', async () => {
    const world = createWorld();
    world.plans.push(...Array.from({ length: 20 }, () => ({ planId: '', places: [], retires: [], waiting: [waiting], summary: '' })));
    const handle = await drain(world);
    await expect.poll(async () => (await handle.query(drainStatusQuery)).waiting, { timeout: 10_000 }).toEqual([waiting]);
    expect(world.hostService).toBe('cordoned');
    await handle.executeUpdate(cancelDrainUpdate, { args: [{ by: 'ann' }] });
    expect((await handle.result()).phase).toBe('cancelled');
    expect(world.hostService).toBe('schedulable');
    expect([...world.replicas.keys()]).toEqual(['old-1']);
  });

  it('keeps the old replica serving when no replacement comes up, and fails after three rounds', async () => {
    const world = createWorld();
    world.plans.push(...Array.from({ length: 5 }, () => structuredClone(moves)));
    world.fail.awaitEngineReady = { error: engineFailed('no memory'), times: Number.POSITIVE_INFINITY };
    const status = await (await drain(world)).result();
    expect(status).toMatchObject({ phase: 'failed', remaining: ['old-1'] });
    expect(status.reason).toContain('no memory');
    expect(world.replicas.get('old-1')).toMatchObject({ state: 'ready', weight: 100, engine: true });
    expect(world.calls.some((c) => c.name === 'unrouteReplica')).toBe(false);
  });
});
