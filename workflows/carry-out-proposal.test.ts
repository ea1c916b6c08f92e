import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toFailure } from '../activities/failures.ts';
import { UellmError } from '../core/domain/errors.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import type { carryOutProposal } from './carry-out-proposal.ts';
import { CONTROL_TASK_QUEUE, decidedSignal, workflowIds } from './messages.ts';
import type { rebalanceCluster } from './rebalance-cluster.ts';

let temporal: TestNamespace;
let current: MockWorld;
let runs = 0;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
});
afterAll(() => temporal.close());

const plan = { planId: 'p', places: [place('new-1', 'h2', 'old-1')], retires: [], waiting: [], summary: 'chat from h1 to h2' };
const moves = { step: 'moves' as const, plan, applied: { reserved: ['new-1'], retiring: [], trimmed: [] } };

function worldOf(state: MockWorld['proposal']['state'], ...begins: MockWorld['begins']): MockWorld {
  current = createMockWorld();
  current.replicas.set('old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true });
  current.replicas.set('new-1', { revision: 2, host: 'h2', state: 'reserved', weight: 0, engine: false });
  current.proposal.state = state;
  current.begins.push(...begins);
  return current;
}

async function start(id = `p${++runs}`) {
  return temporal.client.workflow.start<typeof carryOutProposal>('carryOutProposal', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.proposal(id),
    args: [{ proposalId: id }],
  });
}
const called = (world: MockWorld, name: string) => world.calls.filter((c) => c.name === name).length;

describe('carryOutProposal', () => {
  it('waits for an operator, shows what for, and moves what was approved', async () => {
    const world = worldOf('open', moves);
    const running = await start();
    await expect.poll(() => called(world, 'proposalStatus'), { timeout: 10_000 }).toBe(1);
    await expect
      .poll(async () => (await running.describe()).searchAttributes, { timeout: 10_000 })
      .toMatchObject({ UellmOutcome: ['waits-for-approval'], UellmDeployment: ['chat'] });
    expect(called(world, 'beginProposal')).toBe(0);
    world.proposal.state = 'approved';
    await running.signal(decidedSignal);
    expect(await running.result()).toEqual({ state: 'done', outcome: '1 of 1 moves done' });
    expect([...world.replicas.keys()]).toEqual(['new-1']);
    expect(world.replicas.get('new-1')).toMatchObject({ state: 'ready', weight: 100 });
  });

  it.each(['declined', 'withdrawn', 'expired'] as const)('ends where it was %s, and touches nothing', async (state) => {
    const world = worldOf('open', moves);
    const running = await start();
    await expect.poll(() => called(world, 'proposalStatus'), { timeout: 10_000 }).toBe(1);
    Object.assign(world.proposal, { state, outcome: 'because' });
    await running.signal(decidedSignal);
    expect(await running.result()).toEqual({ state, outcome: 'because' });
    expect(called(world, 'beginProposal')).toBe(0);
  });

  it('looks again by itself when its time is over', async () => {
    const world = worldOf('open');
    world.proposal.expiresAtMs = Date.now();
    const { proposalStatus } = world.activities;
    world.activities.proposalStatus = async (id) => {
      const status = { ...(await proposalStatus(id)) };
      world.proposal.state = 'expired';
      return status;
    };
    expect(await (await start()).result()).toMatchObject({ state: 'expired' });
  });

  it('ends as the row says where it fits no more', async () => {
    const world = worldOf('approved', { step: 'over' });
    const { beginProposal } = world.activities;
    world.activities.beginProposal = async (id) => {
      Object.assign(world.proposal, { state: 'outdated', outcome: 'replica r1 is gone' });
      return beginProposal(id);
    };
    expect(await (await start()).result()).toEqual({ state: 'outdated', outcome: 'replica r1 is gone' });
    expect(called(world, 'endProposal')).toBe(0);
  });

  it('begins anew while it has to wait', async () => {
    const world = worldOf('approved', { step: 'wait', reason: '2 replicas may move at once' }, moves);
    const running = await start();
    await expect.poll(() => called(world, 'beginProposal'), { timeout: 10_000 }).toBe(1);
    await running.signal(decidedSignal);
    expect(await running.result()).toMatchObject({ state: 'done' });
  });

  it('has failed where its only move was undone, and says why', async () => {
    const world = worldOf('approved', moves);
    world.fail.awaitEngineReady = { error: engineFailed('no memory'), times: Number.POSITIVE_INFINITY };
    expect(await (await start()).result()).toEqual({ state: 'failed', outcome: expect.stringMatching(/^0 of 1 moves done; .*no memory/) });
    expect([...world.replicas.keys()]).toEqual(['old-1']);
    expect(world.replicas.get('old-1')).toMatchObject({ state: 'ready', weight: 100 });
  });

  it('gives up what another workflow had begun that is gone', async () => {
    const world = worldOf('approved', moves);
    world.proposal.begun = true;
    expect(await (await start()).result()).toMatchObject({ state: 'failed', outcome: expect.stringMatching(/was gone/) });
    expect(world.calls.find((c) => c.name === 'abandonMoves')?.args).toEqual(['rebalance', 'chat']);
    expect(called(world, 'startEngine')).toBe(0);
  });

  it('starts the rollout of a new shape, which goes its own way', async () => {
    const world = worldOf('approved', { step: 'rollout', rolloutId: 'chat-r2', correctionId: 7 });
    expect(await (await start()).result()).toEqual({ state: 'done', outcome: 'rollout chat-r2 was started' });
    expect(world.calls.find((c) => c.name === 'recordCorrectionStarted')?.args).toEqual([7]);
    expect((await temporal.client.workflow.getHandle('deploy-chat-r2').describe()).type).toBe('deployModel');
    await temporal.client.workflow.getHandle('deploy-chat-r2').terminate();
  });
});

it('a rebalance proposes for deployments that are not in auto mode, and leaves their replicas alone', async () => {
  const world = worldOf('open');
  world.replicas.delete('new-1');
  world.plans.push({ planId: '', places: [], retires: [], waiting: [], summary: 'nothing to move' });
  world.holds = [{ kind: 'waiting', on: 'mode', subject: 'chat', message: 'chat moves when an operator approves' }];
  world.activities.deploymentsToProposeFor = async () => ['chat', 'broken'];
  world.activities.proposeMoves = async (deployment) => {
    if (deployment === 'broken') throw toFailure(new UellmError({ kind: 'forbidden', reason: 'made to fail' }));
    return { open: { id: 'proposed', summary: 'chat from h1 to h2' }, withdrawn: 'nobody-listens' };
  };
  const rebalance = () =>
    temporal.client.workflow.execute<typeof rebalanceCluster>('rebalanceCluster', {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: workflowIds.rebalance,
      args: [{ dryRun: false, requestedBy: 'ann' }],
    });
  world.plans.push(...world.plans);
  for (let i = 0; i < 2; i++)
    expect(await rebalance()).toMatchObject({ outcome: 'skipped', reason: expect.stringMatching(/left alone: chat moves when/) });
  const shown = temporal.client.workflow.getHandle(workflowIds.proposal('proposed'));
  expect((await shown.describe()).status.name).toBe('RUNNING');
  expect([...world.replicas.keys()]).toEqual(['old-1']);
  await shown.terminate();
});
