/** What the API asks of Temporal, on the real server with the real workflows: what is answered, declined, and said when nobody is there to answer. */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toFailure } from '../../activities/failures.ts';
import type { WorkflowActions } from '../../api/actions.ts';
import { createTemporalActions } from '../../api/temporal-actions.ts';
import { notFound } from '../../core/domain/errors.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue } from '../../workflows/messages.ts';
import { createMockWorld, delegating, type MockWorld } from '../support/mock-activities.ts';
import { createTestNamespace, type RunningWorker, type TestNamespace } from '../support/temporal.ts';

let temporal: TestNamespace;
let actions: WorkflowActions;
let world: MockWorld = createMockWorld({ approval: 'manual' });

const startWorkers = () =>
  Promise.all(
    [CONTROL_TASK_QUEUE, hostTaskQueue('h2')].map((queue) =>
      temporal.startWorker(
        queue,
        delegating(() => world),
      ),
    ),
  );
const detail = (kind: string, text: RegExp) => ({ detail: { kind }, message: expect.stringMatching(text) });

beforeAll(async () => {
  temporal = await createTestNamespace();
  actions = createTemporalActions(temporal.client);
});
afterAll(() => temporal.close());

describe('without a worker', () => {
  it('starts what it is asked to, once, and finds nothing that was never started', async () => {
    await actions.ping();
    await actions.startDeploy('chat-r1');
    await actions.startDeploy('chat-r1'); // the rollout's row is the lock, not this
    await actions.startDrain('h1', 'ann');
    await expect(actions.startDrain('h1', 'bob')).rejects.toMatchObject(detail('conflict', /running already/));
    await actions.startRebalance('rebalance-cluster', { dryRun: false, requestedBy: 'ann' });
    await expect(actions.startRebalance('rebalance-cluster', { dryRun: false, requestedBy: 'bob' })).rejects.toMatchObject(
      detail('conflict', /running already/),
    );
    expect(await actions.rebalance('rebalance-cluster')).toEqual({ state: 'running' });

    expect(await actions.drainStatus('h9')).toBeNull();
    expect(await actions.cancelDrain('h9', 'ann')).toBe(false);
    expect(await actions.rebalance('rebalance-dry-run-x')).toBeNull();
    expect(await actions.rebalance('drain-h1')).toBeNull(); // another workflow's id tells nothing
    await expect(actions.updateRollout('chat-r9', 'abort', { by: 'ann', reason: '' })).rejects.toMatchObject({
      detail: { kind: 'not-found' },
    });
  });

  it('says within seconds that no worker answers', async () => {
    const began = Date.now();
    const answers = await Promise.allSettled([
      actions.updateRollout('chat-r1', 'pause', { by: 'ann', reason: '' }),
      actions.drainStatus('h1'),
      actions.cancelDrain('h1', 'ann'),
      actions.readLog({ host: 'h2', replicaId: null, lines: 1 }),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: detail('unavailable', /control worker/) });
    expect(Date.now() - began).toBeLessThan(12_000);
  });
});

describe('with workers', () => {
  let workers: RunningWorker[];
  beforeAll(async () => {
    for (const id of ['deploy-chat-r1', 'drain-h1', 'rebalance-cluster'])
      await temporal.client.workflow.getHandle(id).terminate('the next tests begin anew');
    workers = await startWorkers();
  });
  afterAll(() => Promise.all(workers.map((worker) => worker.stop())));

  it('tells how a terminated drain and rebalance ended', async () => {
    expect(await actions.drainStatus('h1')).toMatchObject({
      running: false,
      status: { host: 'h1', phase: 'failed', reason: expect.stringMatching(/begin anew/) },
    });
    expect(await actions.rebalance('rebalance-cluster')).toMatchObject({ state: 'failed', failure: expect.stringMatching(/begin anew/) });
    expect(await actions.cancelDrain('h1', 'ann')).toBe(false);
  });

  it('drains, and keeps what the drain ended with', async () => {
    world = createMockWorld();
    await actions.startDrain('h1', 'ann');
    await expect
      .poll(() => actions.drainStatus('h1'), { timeout: 10_000 })
      .toMatchObject({ running: false, status: { phase: 'drained', receipt: { requestsDropped: 0 } } });
  });

  it('cancels a drain that runs', async () => {
    world = createMockWorld();
    world.replicas.set('old-1', { revision: 1, host: 'h1', state: 'starting', weight: 0, engine: true });
    await actions.startDrain('h1', 'ann');
    await expect
      .poll(() => actions.drainStatus('h1'), { timeout: 10_000 })
      .toMatchObject({ running: true, status: { remaining: ['old-1'] } });
    expect(await actions.cancelDrain('h1', 'bob')).toBe(true);
    await expect
      .poll(() => actions.drainStatus('h1'), { timeout: 10_000 })
      .toMatchObject({ running: false, status: { phase: 'cancelled' } });
  });

  it('rebalances, and tells the result', async () => {
    world = createMockWorld();
    await actions.startRebalance('rebalance-dry-run-1', { dryRun: true, requestedBy: 'ann' });
    await expect
      .poll(() => actions.rebalance('rebalance-dry-run-1'), { timeout: 10_000 })
      .toMatchObject({ state: 'completed', result: { outcome: 'dry-run' } });
  });

  it('reads the end of a log on a host, and says whether it is the log or the host that is not there', async () => {
    world = createMockWorld();
    expect(await actions.readLog({ host: 'h2', replicaId: 'chat-1', lines: 1 })).toEqual({ source: 'chat-1', lines: ['last'] });
    world.fail.readLog = { error: toFailure(notFound('log of replica', 'chat-9')) as Error, times: 1 };
    await expect(actions.readLog({ host: 'h2', replicaId: 'chat-9', lines: 1 })).rejects.toMatchObject(detail('not-found', /chat-9/));
    await expect(actions.readLog({ host: 'h9', replicaId: null, lines: 1 })).rejects.toMatchObject(
      detail('unavailable', /worker of host h9/),
    );
  });

  it('pauses, resumes and approves a rollout, and passes on what it declines', async () => {
    world = createMockWorld({ approval: 'manual' });
    await actions.startDeploy('chat-r2');
    const request = { by: 'ann', reason: 'lunch' };
    await expect(actions.updateRollout('chat-r2', 'resume', request)).rejects.toMatchObject(
      detail('conflict', /cannot resume: the rollout is not paused/),
    );
    expect(await actions.updateRollout('chat-r2', 'pause', request)).toMatchObject({ phase: 'paused' });
    await expect(actions.updateRollout('chat-r2', 'approve', request)).rejects.toMatchObject(
      detail('conflict', /cannot approve: the rollout does not wait for approval/),
    );
    await actions.updateRollout('chat-r2', 'resume', request);
    await expect.poll(() => actions.updateRollout('chat-r2', 'approve', request).catch(() => null), { timeout: 15_000 }).not.toBeNull();
    await expect.poll(() => world.rollout.ended?.phase, { timeout: 15_000 }).toBe('succeeded');
    await expect
      .poll(() => actions.updateRollout('chat-r2', 'abort', request).catch((e) => e.detail?.kind), { timeout: 10_000 })
      .toBe('not-found');
  });
});

describe('without Temporal', () => {
  it('says that Temporal is away', async () => {
    const connection = Connection.lazy({ address: '127.0.0.1:1' });
    const away = createTemporalActions(new Client({ connection }));
    await expect(away.ping()).rejects.toMatchObject(detail('unavailable', /Temporal is unavailable/));
    await connection.close();
  });
});
