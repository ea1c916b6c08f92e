import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMockWorld, delegating, type MockWorld } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, hostTaskQueue, hostWorkerStartedSignal, workflowIds } from './messages.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  const activities = delegating(() => current);
  await Promise.all([CONTROL_TASK_QUEUE, hostTaskQueue('h1')].map((queue) => temporal.startWorker(queue, activities)));
});
afterAll(() => temporal.close());

const seconds = (n: number) => new Promise((resolve) => setTimeout(resolve, n * 1000));

const PROBE = { accelerators: [], links: [], problems: [], listed: ['NVIDIA'] };

describe('hostPresence', () => {
  it('restores an engine that ended, stops an orphan, and looks anew when a host worker says hello', async () => {
    const world = createMockWorld();
    current = world;
    world.replicas.set('r1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: false });
    const { activities } = world;
    let presences = 0;
    // The first report finds r1 ended and an orphan; later ones wait as a quiet host does.
    activities.reportPresence = async () => {
      presences += 1;
      if (presences > 1) await seconds(presences === 2 ? 6 : 0.2);
      return { engines: [], digest: `report ${presences}`, ...(presences > 1 && { probe: PROBE }) };
    };
    activities.reconcileHost = async () => ({
      restore: world.replicas.get('r1')?.engine ? [] : [{ replicaId: 'r1', generation: 2 }],
      orphans: presences === 1 ? [{ replicaId: 'stray', generation: 4 }] : [],
    });
    const handle = await temporal.client.workflow.start('hostPresence', {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: workflowIds.host('h1'),
      args: [{ host: 'h1' }],
    });

    await expect.poll(() => world.replicas.get('r1'), { timeout: 10_000 }).toMatchObject({ state: 'ready', engine: true });
    expect(world.calls.filter((c) => c.name === 'stopEngine').map((c) => c.args)).toEqual([['stray', 4]]);
    expect(world.calls.filter((c) => c.name === 'beginGeneration').map((c) => c.args.slice(0, 2))).toEqual([['r1', 2]]);

    await expect.poll(() => presences, { timeout: 10_000 }).toBe(2);
    await handle.signal(hostWorkerStartedSignal);
    await expect.poll(() => presences, { timeout: 5000 }).toBeGreaterThan(2);
    // The first host worker is of a release that probes nothing.
    const alive = () => world.calls.filter((c) => c.name === 'recordAlive').map((c) => c.args);
    await expect.poll(() => alive().length, { timeout: 5000 }).toBeGreaterThan(1);
    expect(alive().slice(0, 2)).toEqual([
      ['h1', undefined],
      ['h1', PROBE],
    ]);
    await handle.terminate('end of the test');
  });
});
