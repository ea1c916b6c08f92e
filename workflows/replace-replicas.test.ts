import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanSummary } from '../core/domain/plan.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, type ReplaceInput, type ReplaceResult, replaceSignal, workflowIds } from './messages.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
});
afterAll(() => temporal.close());

const NOTHING: PlanSummary = { planId: '', places: [], retires: [], waiting: [], summary: 'nothing to move' };
const replaces = (replicaId: string, lost: string): PlanSummary => ({ ...NOTHING, places: [place(replicaId, 'h2', lost)] });
const noRoom: PlanSummary = {
  ...NOTHING,
  waiting: [{ kind: 'waiting', on: 'accelerators', subject: 'chat', message: 'no L4 is free', nearest: 'fits with 1 more L4' }],
};

/** A world in which r1 was lost with h1, and these are the plans, then nothing more to do. Applying one reserves all that it places. */
function worldOf(...plans: PlanSummary[]): MockWorld {
  const world = createMockWorld();
  current = world;
  world.replicas.set('r1', { revision: 1, host: 'h1', state: 'unroutable', weight: 100, engine: false });
  world.plans.push(...plans, NOTHING, NOTHING);
  let last = NOTHING;
  const { planPlacement } = world.activities;
  world.activities.planPlacement = async (request) => {
    last = await planPlacement(request);
    return last;
  };
  world.activities.applyPlan = async () => {
    const reserved = last.places.map((p) => p.replicaId);
    for (const id of reserved) world.replicas.set(id, { revision: 1, host: 'h2', state: 'reserved', weight: 0, engine: false });
    return { reserved, retiring: [], trimmed: [] };
  };
  world.activities.abandonReplica = async (id) => {
    world.calls.push({ name: 'abandonReplica', args: [id] });
    return world.replicas.get(id)?.host === 'h1' && world.replicas.delete(id) ? 'host-lost' : false;
  };
  return world;
}
const start = (input: Partial<ReplaceInput> = {}) =>
  temporal.client.workflow.start('replaceReplicas', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.replace,
    args: [{ reason: 'host h1 is lost', avoid: [], ...input }],
  });
const callsOf = (world: MockWorld, ...names: string[]) => world.calls.filter((c) => names.includes(c.name)).map((c) => c.name);

describe('replaceReplicas', () => {
  it('routes to the new replica before it gives the lost one up, and waits for nothing on the lost host', async () => {
    const world = worldOf(replaces('new-1', 'r1'));
    const result = (await (await start()).result()) as ReplaceResult;
    expect(result).toEqual({ outcome: 'replaced', reason: 'host h1 is lost', replaced: 1 });
    expect(callsOf(world, 'routeReplicas', 'abandonReplica')).toEqual(['routeReplicas', 'abandonReplica']);
    expect(callsOf(world, 'stopEngine', 'awaitRequestsFinished')).toEqual([]);
    expect([...world.replicas]).toMatchObject([['new-1', { state: 'ready', weight: 100 }]]);
  });

  it('lets a replica whose host is back leave as any other does', async () => {
    const world = worldOf(replaces('new-1', 'r1'));
    world.activities.abandonReplica = async () => false;
    await (await start()).result();
    expect(callsOf(world, 'unrouteReplica', 'awaitRequestsFinished', 'stopEngine', 'endReplica')).toEqual([
      ...['unrouteReplica', 'awaitRequestsFinished', 'stopEngine', 'endReplica'],
    ]);
  });

  it('goes elsewhere with what does not start, and not where it was asked not to', async () => {
    const world = worldOf(replaces('new-1', 'r1'), replaces('new-2', 'r1'));
    world.fail.fetchWeights = { error: engineFailed('the disk is full'), times: 1 };
    const avoid = [{ host: 'h3', accelerators: [2] }];
    const result = (await (await start({ avoid })).result()) as ReplaceResult;
    expect(result).toMatchObject({ outcome: 'replaced', replaced: 1 });
    const asked = world.calls.filter((c) => c.name === 'planPlacement').map((c) => (c.args[0] as { avoid?: object[] }).avoid);
    expect(asked.slice(0, 2)).toEqual([avoid, [...avoid, { host: 'h2', accelerators: [0] }]]);
  });

  it('waits for room, and looks at once when something more is lost', async () => {
    const world = worldOf(noRoom, replaces('new-1', 'r1'));
    const handle = await start();
    const plans = () => callsOf(world, 'planPlacement').length;
    await expect.poll(plans).toBe(1);
    await handle.signal(replaceSignal, { reason: 'host h3 is lost', avoid: [] });
    await expect.poll(plans, { timeout: 3000 }).toBeGreaterThan(1);
    expect(await handle.result()).toEqual({ outcome: 'replaced', reason: 'host h3 is lost', replaced: 1 });
  });

  it('tries again where it did not start, once nothing else is left', async () => {
    const world = worldOf(replaces('new-1', 'r1'), noRoom, replaces('new-2', 'r1'));
    world.fail.fetchWeights = { error: engineFailed('the share is away'), times: 1 };
    const handle = await start();
    const avoided = () => world.calls.filter((c) => c.name === 'planPlacement').map((c) => (c.args[0] as { avoid?: object[] }).avoid ?? []);
    await expect.poll(() => avoided().length, { timeout: 10_000 }).toBe(2);
    const details = async () => (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
    await expect.poll(details, { timeout: 10_000 }).toContain('looks again in 10 s');
    await handle.signal(replaceSignal, { reason: 'host h3 is lost', avoid: [] });
    expect(await handle.result()).toMatchObject({ outcome: 'replaced', replaced: 1 });
    expect(avoided().slice(0, 3)).toEqual([[], [{ host: 'h2', accelerators: [0] }], []]);
  });

  it('is left to the next rebalance after an hour in which nothing helped', async () => {
    const world = worldOf(noRoom, noRoom);
    const hourAgo = { replaced: 2, idle: 30, idleSinceMs: Date.now() - 3_600_000 };
    expect(await (await start({ soFar: hourAgo })).result()).toEqual({
      outcome: 'waiting',
      reason: 'no L4 is free; fits with 1 more L4',
      replaced: 2,
    });
    expect(callsOf(world, 'planPlacement')).toHaveLength(1);
  });

  it('is asked for by a restore that has failed for good, away from where it failed', async () => {
    const world = worldOf();
    world.fail.awaitEngineReady = { error: engineFailed('CUDA error: uncorrectable ECC error'), times: 20 };
    const restoring = temporal.client.workflow.execute('restoreReplica', {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: workflowIds.restore('r1', 2),
      args: ['r1', 2],
    });
    await expect(restoring).rejects.toThrow();
    await temporal.client.workflow.getHandle(workflowIds.replace).result();
    expect(world.replicas.has('r1')).toBe(false);
    const asked = world.calls.filter((c) => c.name === 'planPlacement').map((c) => (c.args[0] as { avoid?: object[] }).avoid);
    expect(asked).toEqual([[{ host: 'h1', accelerators: [0] }]]);
    expect(world.calls.filter((c) => c.name === 'endReplica').map((c) => c.args)).toEqual([
      ['r1', 'failed', expect.stringMatching(/^its engine could not be started again: .*uncorrectable ECC error/)],
    ]);
  });
});
