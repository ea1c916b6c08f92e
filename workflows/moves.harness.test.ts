/** Whatever fails, and whatever runs twice: a drain, a rebalance and a replacement leave something that serves, and nothing that nobody owns. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import { type ActivityName, failEachInTurn, runEachTwice } from '../test/support/harness.ts';
import { createLanes, type Lanes } from '../test/support/lanes.ts';
import { createMockWorld, type MockWorld, place } from '../test/support/mock-activities.ts';
import { CONTROL_TASK_QUEUE } from './messages.ts';

let lanes: Lanes;
let runs = 0;

beforeAll(async () => {
  lanes = await createLanes(4, ['h1', 'h2']);
});
afterAll(() => lanes.close());

const STALE = new UellmError({ kind: 'forbidden', reason: 'made to fail' });

/** A world with one replica on h1, where every plan moves what is left there to h2, under a new name each time. */
function worldOf(state = 'ready'): MockWorld {
  const world = createMockWorld();
  world.replicas.set('old-1', { revision: 1, host: 'h1', state, weight: 100, engine: state === 'ready' });
  const { planPlacement } = world.activities;
  let plans = 0;
  world.activities.planPlacement = (request) => {
    const left = [...world.replicas].filter(([id, r]) => r.host === 'h1' && !world.moving.has(id)).map(([id]) => id);
    plans += 1;
    const summary = {
      ...{ planId: '', retires: [], waiting: [], summary: `moves ${left.length}` },
      places: left.map((id) => place(`new-${plans}`, 'h2', id)),
    };
    // The second run of the same request finds the plan of the first.
    world.plans.unshift(summary, ...(world.twice ? [summary] : []));
    return planPlacement(request);
  };
  return world;
}

const WORKFLOWS = {
  drainNode: { args: [{ host: 'h1', requestedBy: 'ann' }], state: 'ready', ends: ['drained', 'failed'] },
  rebalanceCluster: { args: [{ dryRun: false, requestedBy: 'ann' }], state: 'ready', ends: ['moved', 'nothing-to-do'] },
  replaceReplicas: { args: [{ reason: 'h1 is lost', avoid: [] }], state: 'unroutable', ends: ['replaced', 'nothing-to-do'] },
} as const;

async function run(type: keyof typeof WORKFLOWS, world: MockWorld): Promise<string> {
  return lanes.use(world, async (client) => {
    const handle = await client.workflow.start(type, {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: `${type}-${++runs}`,
      args: [...WORKFLOWS[type].args],
    });
    const stuck = setTimeout(() => handle.terminate(`stuck after ${world.calls.at(-1)?.name}`), 40_000);
    try {
      const result = (await handle.result()) as { phase?: string; outcome?: string };
      return result.phase ?? result.outcome ?? '';
    } catch (error) {
      return `failed: ${error instanceof Error ? (error.cause ?? error) : error}`;
    } finally {
      clearTimeout(stuck);
    }
  });
}

const serving = (world: MockWorld) =>
  [...world.replicas].filter(([, r]) => r.state === 'ready' && r.weight === 100 && r.engine).map(([id]) => id);

/** Engines that run for a replica that is no more. */
function orphans(world: MockWorld): unknown[] {
  const stopped = new Set(world.calls.filter((c) => c.name === 'stopEngine').map((c) => c.args[0]));
  const started = world.calls.filter((c) => c.name === 'startEngine').map((c) => (c.args[0] as { replicaId: string }).replicaId);
  return started.filter((id) => !world.replicas.has(id) && !stopped.has(id));
}

describe.each(Object.keys(WORKFLOWS) as (keyof typeof WORKFLOWS)[])('%s', (type) => {
  const { state, ends } = WORKFLOWS[type];

  it('leaves something that serves, and nothing without an owner, whichever activity fails', async () => {
    const check = (world: MockWorld, end: string, failed: ActivityName) => {
      // A decision that cannot be had ends a rebalance as failed, before anything was touched.
      if (!end.startsWith('failed:')) expect(ends).toContain(end);
      const untouched = !world.calls.some((c) => c.name === 'startEngine');
      if (state === 'ready' || !untouched) expect(serving(world).length, `${failed}, ended ${end}`).toBeGreaterThanOrEqual(1);
      expect(orphans(world)).toEqual([]);
      expect([...world.moving].filter((id) => world.replicas.has(id))).toEqual([]);
    };
    const failed = await failEachInTurn(
      () => worldOf(state),
      (world) => run(type, world),
      check,
      { error: STALE },
    );
    expect(failed).toEqual(expect.arrayContaining(['planPlacement', 'applyPlan', 'startEngine', 'routeReplicas', 'endReplica']));
  }, 240_000);

  it('ends the same when every activity runs twice', async () => {
    const { once, twice } = await runEachTwice(
      () => worldOf(state),
      (world) => run(type, world),
      (world, end) => ({ end, serving: serving(world).length, replicas: world.replicas.size, orphans: orphans(world) }),
    );
    expect(once).toEqual({ end: ends[0], serving: 1, replicas: 1, orphans: [] });
    expect(twice).toEqual(once);
  }, 60_000);
});
