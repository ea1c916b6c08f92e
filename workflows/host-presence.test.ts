import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Silence } from '../activities/hosts.ts';
import { startMockWorkers } from '../test/support/lanes.ts';
import { createMockWorld, engineFailed, type MockWorld, place } from '../test/support/mock-activities.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { CONTROL_TASK_QUEUE, hostWorkerStartedSignal, workflowIds } from './messages.ts';

let temporal: TestNamespace;
let current: MockWorld;

beforeAll(async () => {
  temporal = await createTestNamespace();
  await startMockWorkers(temporal, ['h1', 'h2'], () => current);
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
    activities.reconcileHost = async (...args) => {
      world.calls.push({ name: 'reconcileHost', args });
      return found();
    };
    const found = () => ({
      restore: world.replicas.get('r1')?.engine ? [] : [{ replicaId: 'r1', generation: 2 }],
      ...(presences === 1
        ? { orphans: [{ replicaId: 'stray', generation: 4 }], standing: null }
        : { orphans: [], standing: 'alive' as const }),
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
    const callsOf = (name: string) => world.calls.filter((c) => c.name === name).map((c) => c.args);
    await expect.poll(() => callsOf('reconcileHost').length, { timeout: 5000 }).toBeGreaterThan(1);
    expect(callsOf('reconcileHost').slice(0, 2)).toEqual([
      ['h1', [], undefined],
      ['h1', [], PROBE],
    ]);
    // What is found clean is recorded with that look.
    expect(callsOf('recordAlive')).toEqual([['h1', [], undefined]]);
    await handle.terminate('end of the test');
  });

  const running = (replicaId: string, generation: number) => ({
    replicaId,
    generation,
    endpoint: '',
    state: 'running' as const,
    detail: '',
  });

  it('takes no work for a host whose orphan does not end, and looks again until it has', async () => {
    const world = createMockWorld();
    current = world;
    world.fail.stopEngine = { error: engineFailed('it hangs in the kernel'), times: 3 };
    let looks = 0;
    world.activities.reportPresence = async () => {
      looks += 1;
      if (looks > 2) await seconds(5);
      return { engines: [running('mine', 1), running('stray', 4)], digest: 'the same' };
    };
    world.activities.reconcileHost = async () => ({ restore: [], orphans: [{ replicaId: 'stray', generation: 4 }], standing: null });
    const recordAlive = world.activities.recordAlive;
    world.activities.recordAlive = async (...args) => {
      await recordAlive(...args);
      return args[1].some((e) => e.replicaId === 'stray') ? 'unclean' : 'alive';
    };
    const handle = await start('h1');
    const alive = () =>
      world.calls.filter((c) => c.name === 'recordAlive').map((c) => (c.args[1] as { replicaId: string }[]).map((e) => e.replicaId));
    await expect.poll(alive, { timeout: 15_000 }).toEqual([['mine', 'stray'], ['mine']]);
    await handle.terminate('end of the test');
  });
});

describe('a silent host', () => {
  /** Each look fails at once: two seconds later the next is due. */
  function silentWorld(): MockWorld {
    const world = createMockWorld();
    current = world;
    world.activities.reportPresence = async () => {
      throw new Error('heartbeat timeout');
    };
    return world;
  }
  const verdicts = (world: MockWorld) => world.calls.filter((c) => c.name === 'recordSilence').map((c) => c.args[1]);

  it('is suspect, then lost, and what it held is made good; heard of again, it begins anew', async () => {
    const world = silentWorld();
    world.activities.recordSilence = recorded(world, (_, liveness) => ({ liveness, together: null, replicas: 1, unrouted: [] }));
    const nothing = { planId: '', places: [], retires: [], waiting: [], summary: '' };
    world.plans.push({ ...nothing, places: [place('new-1', 'h2', 'r1')] }, ...Array(20).fill(nothing));
    const handle = await start('h1', { lostAfterSeconds: 3 });
    await expect.poll(() => verdicts(world), { timeout: 15_000 }).toEqual(['suspect', 'suspect', 'lost']);
    const replacing = temporal.client.workflow.getHandle(workflowIds.replace);
    await expect.poll(() => world.replicas.get('new-1'), { timeout: 10_000 }).toMatchObject({ state: 'ready', host: 'h2' });

    let heard = false;
    world.activities.reportPresence = async () => {
      if (heard) throw new Error('and gone again');
      heard = true;
      return { engines: [], digest: 'back' };
    };
    await expect.poll(() => heard, { timeout: 10_000 }).toBe(true);
    const before = verdicts(world).length;
    await expect.poll(() => verdicts(world).length, { timeout: 10_000 }).toBeGreaterThan(before);
    expect(verdicts(world)[before]).toBe('suspect');
    await handle.terminate('end of the test');
    await replacing.terminate('end of the test').catch(() => {});
  });

  it('is not lost while others are silent with it, and has its whole grace again afterwards', async () => {
    const world = silentWorld();
    let away = true;
    const together = { silent: ['h1', 'h2'], known: 3, allowed: 1 };
    world.activities.recordSilence = recorded(world, (_, liveness) =>
      away ? { liveness: 'suspect', together, replicas: 1, unrouted: [] } : { liveness, together: null, replicas: 0, unrouted: [] },
    );
    // The workflow that came before it had watched it for an hour.
    const handle = await start('h1', { lostAfterSeconds: 3, state: { digest: '', silentMs: 3_600_000, together: false } });
    await expect.poll(() => verdicts(world).length, { timeout: 10_000 }).toBe(2);
    expect(verdicts(world)).toEqual(['lost', 'suspect']);
    away = false;
    await expect.poll(() => verdicts(world), { timeout: 15_000 }).toEqual(['lost', 'suspect', 'suspect', 'lost']);
    expect(world.calls.some((c) => c.name === 'planPlacement')).toBe(false);
    // It continues as new after 1,500 events: 2,000 are never reached, however long the host is silent.
    const { events } = await handle.fetchHistory();
    expect(events!.length / verdicts(world).length).toBeLessThan(40);
    await handle.terminate('end of the test');
  });
});

function recorded(world: MockWorld, answer: (...args: Parameters<MockWorld['activities']['recordSilence']>) => Silence) {
  return async (...args: Parameters<MockWorld['activities']['recordSilence']>) => {
    world.calls.push({ name: 'recordSilence', args });
    return answer(...args);
  };
}

const start = (host: string, more: object = {}) =>
  temporal.client.workflow.start('hostPresence', {
    taskQueue: CONTROL_TASK_QUEUE,
    workflowId: workflowIds.host(host),
    args: [{ host, ...more }],
  });
