import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, type MockWorld } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, lookSignal, monitorStatusQuery, workflowIds } from './messages.ts';
import type { monitorCluster, scheduledMonitoring } from './monitor-cluster.ts';
import { searchAttributes } from './search-attributes.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
});
afterAll(() => temporal.close());

const start = (everySeconds: number, forSeconds: number) =>
  temporal.client.workflow.start<typeof monitorCluster>('monitorCluster', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.monitor,
    args: [{ everySeconds, forSeconds }],
  });
const looks = () => current.calls.filter((c) => c.name === 'lookAtCluster').length;
const outcomeOf = async () => {
  const { typedSearchAttributes } = await temporal.client.workflow.getHandle(workflowIds.monitor).describe();
  return typedSearchAttributes.get(searchAttributes.outcome);
};
const quiet = { findings: [], done: [], active: 0, toStart: [] };

describe('monitorCluster', () => {
  it('looks every few seconds for as long as it is told to, and says what it found and did', async () => {
    current = createMockWorld();
    const line = 'step time of replica r1 multiplied by 3: replica r1: steps take 300 % of what is predicted';
    current.looks.push({ findings: ['r1 is slow'], done: [], active: 0, toStart: [] }, { ...quiet, done: [line], active: 1 });
    const handle = await start(2, 5);
    expect(await handle.result()).toEqual({ looks: 3, findings: [], done: [line], active: 0 });
    expect(looks()).toBe(3);
    expect(await outcomeOf()).toBe('corrected');
  });

  it('ends as-predicted where nothing was found', async () => {
    current = createMockWorld();
    expect(await (await start(1, 1)).result()).toMatchObject({ looks: 1 });
    expect(await outcomeOf()).toBe('as-predicted');
  });

  it('looks at once when asked to', async () => {
    current = createMockWorld();
    const handle = await start(60, 600);
    await expect.poll(looks, { timeout: 10_000 }).toBe(1);
    await handle.signal(lookSignal);
    await expect.poll(looks, { timeout: 5000 }).toBe(2);
    await handle.terminate('the test is over');
  });

  it('starts the rollout that a correction asks for, once, and goes on', async () => {
    current = createMockWorld();
    const toStart = [{ kind: 'rollout' as const, correctionId: 1, rolloutId: 'chat-r2' }];
    // The same again: the first look's answer was lost on its way.
    current.looks.push({ ...quiet, toStart }, { ...quiet, toStart });
    expect(await (await start(2, 4)).result()).toMatchObject({ looks: 2 });
    expect(current.calls.filter((c) => c.name === 'recordCorrectionStarted').map((c) => c.args[0])).toEqual([1, 1]);
    expect(await temporal.client.workflow.getHandle(workflowIds.deploy('chat-r2')).result()).toMatchObject({ phase: 'succeeded' });
    expect(current.calls.filter((c) => c.name === 'loadRollout')).toHaveLength(1);
  });

  it('starts the rebalance that a correction asks for', async () => {
    current = createMockWorld();
    current.plans.push({ planId: '', places: [], retires: [], waiting: [], summary: 'nothing to move' });
    current.looks.push({ ...quiet, toStart: [{ kind: 'rebalance', correctionId: 7 }] });
    await (await start(1, 1)).result();
    expect(await temporal.client.workflow.getHandle(workflowIds.rebalance).result()).toMatchObject({ outcome: 'nothing-to-do' });
    expect(current.calls.find((c) => c.name === 'recordCorrectionStarted')?.args).toEqual([7]);
  });

  it('goes on after a look that failed', async () => {
    current = createMockWorld();
    current.fail.lookAtCluster = { error: new UellmError({ kind: 'conflict', what: 'a', name: 'test', reason: 'no database' }), times: 1 };
    const handle = await start(2, 4);
    await expect.poll(outcomeOf, { timeout: 5000 }).toBe('blind');
    expect(await handle.result()).toMatchObject({ looks: 2 });
    expect(await outcomeOf()).toBe('as-predicted');
  });

  it('is what the schedule starts, under one lock', async () => {
    current = createMockWorld();
    const scheduled = (workflowId: string) =>
      temporal.client.workflow.execute<typeof scheduledMonitoring>('scheduledMonitoring', {
        taskQueue: CONTROL_TASK_QUEUE,
        workflowId,
        args: [{ everySeconds: 2, forSeconds: 5 }],
      });
    const first = scheduled('monitor-1');
    await expect.poll(looks, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(await scheduled('monitor-2')).toBeNull();
    expect(await temporal.client.workflow.getHandle(workflowIds.monitor).query(monitorStatusQuery)).toMatchObject({ active: 0 });
    expect(await first).toMatchObject({ looks: 3 });
    await delay(100);
    expect(looks()).toBe(3);
  });
});
