import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DrainOptions } from '../core/domain/drain.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, NOTHING_LEFT, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import type { drainNode } from './drain-node.ts';
import { CONTROL_TASK_QUEUE, cancelDrainUpdate, drainStatusQuery, workflowIds } from './messages.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
});
afterAll(() => temporal.close());

function createWorld(state = 'ready'): MockWorld {
  const world = createMockWorld();
  world.replicas.set('old-1', { revision: 1, host: 'h1', state, weight: 100, engine: true });
  return world;
}

async function drain(world: MockWorld, options: DrainOptions = {}) {
  current = world;
  return temporal.client.workflow.start<typeof drainNode>('drainNode', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.drain('h1'),
    args: [{ ...options, host: 'h1', requestedBy: 'ann' }],
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

  it.each([
    ['ended-before', true],
    ['host-lost', false],
  ] as const)('says of the engine of a replica that is gone, %s, whether it was stopped', async (why, engineStopped) => {
    const world = createWorld();
    world.plans.push(moves);
    world.activities.abandonReplica = async (id) => world.replicas.delete(id) && why;
    const { receipt } = await (await drain(world)).result();
    expect(receipt!.moved).toMatchObject([{ replicaId: 'old-1', engineStopped }]);
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

  const streaming = (world: MockWorld, open: number) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.activities.awaitRequestsFinished = async (_, __, untilMs) => {
      if (untilMs === null) await held;
      else if (world.replicas.get('old-1')?.engine) return { ...NOTHING_LEFT, finished: 1, open };
      return { ...NOTHING_LEFT, finished: 2, dropped: open };
    };
    return () => release();
  };

  it('is cancelled while streams run: the old one is routed as before, the new one retired, the host in service', async () => {
    const world = createWorld();
    world.plans.push(moves);
    const release = streaming(world, 0);
    const handle = await drain(world);
    await expect.poll(() => world.replicas.get('old-1')?.state, { timeout: 10_000 }).toBe('draining');
    const { awaitRequestsFinished } = world.activities;
    world.activities.awaitRequestsFinished = async (id, ...rest) => (id === 'new-1' ? NOTHING_LEFT : awaitRequestsFinished(id, ...rest));
    await handle.executeUpdate(cancelDrainUpdate, { args: [{ by: 'ann' }] });
    expect((await handle.result()).phase).toBe('cancelled');
    release();
    expect([...world.replicas]).toEqual([['old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true }]]);
    expect(world.hostService).toBe('schedulable');
    expect(world.moving.size).toBe(0);
  });

  it('ends what still runs at its deadline where that is asked for, and counts it', async () => {
    const world = createWorld();
    world.plans.push(moves);
    streaming(world, 4);
    const { receipt } = await (await drain(world, { deadlineSeconds: 1, onDeadline: 'migrate' })).result();
    expect(receipt).toMatchObject({ requestsFinished: 2, requestsDropped: 4, moved: [{ replicaId: 'old-1', engineStopped: true }] });
    expect(world.calls.find((c) => c.name === 'stopEngine')?.args).toEqual(['old-1', 1, 0]);
  });

  it('gives up at its deadline where that is asked for', async () => {
    const world = createWorld();
    world.plans.push(moves);
    const release = streaming(world, 0);
    const handle = await drain(world, { deadlineSeconds: 3, onDeadline: 'abort' });
    await expect.poll(() => world.replicas.get('old-1')?.state, { timeout: 10_000 }).toBe('draining');
    const { awaitRequestsFinished } = world.activities;
    world.activities.awaitRequestsFinished = async (id, ...rest) => (id === 'new-1' ? NOTHING_LEFT : awaitRequestsFinished(id, ...rest));
    const status = await handle.result();
    release();
    expect(status).toMatchObject({ phase: 'cancelled', remaining: ['old-1'] });
    expect(status.reason).toContain('not over within 3 s');
    expect(world.replicas.get('old-1')).toMatchObject({ state: 'ready', weight: 100, engine: true });
  });

  it('goes on waiting after its deadline otherwise, and says so', async () => {
    const world = createWorld();
    world.plans.push(moves);
    const release = streaming(world, 0);
    const handle = await drain(world, { deadlineSeconds: 1 });
    await expect
      .poll(async () => (await handle.query(drainStatusQuery)).reason, { timeout: 20_000 })
      .toContain('the deadline of 1 s is over');
    release();
    expect((await handle.result()).phase).toBe('drained');
  });

  it('ends although the host worker does not stop the engine, and says so', async () => {
    const world = createWorld();
    world.plans.push(moves);
    world.fail.stopEngine = { error: new Error('away'), times: 3 };
    const status = await (await drain(world)).result();
    expect(status).toMatchObject({ phase: 'drained', receipt: { moved: [{ replicaId: 'old-1', engineStopped: false }] } });
  });

  it('waits for the budget for as long as others use it', async () => {
    const world = createWorld();
    const over = { kind: 'waiting', on: 'disruption-budget', subject: 'chat', message: '2 replicas may move at once' } as const;
    const { applyPlan } = world.activities;
    world.plans.push(structuredClone(moves), structuredClone(moves));
    let refusals = 1;
    world.activities.applyPlan = async (id) => (refusals-- > 0 ? { reserved: [], retiring: [], trimmed: [over] } : applyPlan(id));
    const handle = await drain(world);
    await expect.poll(async () => (await handle.query(drainStatusQuery)).waiting, { timeout: 10_000 }).toEqual([over]);
    expect((await handle.result()).phase).toBe('drained');
  });
});
