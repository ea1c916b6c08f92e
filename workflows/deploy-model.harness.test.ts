/** Whatever fails, and whatever runs twice: a rollout ends with one revision that serves at full weight, and nothing of the other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UellmError } from '../core/domain/errors.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { failEachInTurn, runEachTwice } from '../test/support/harness.ts';
import { createLanes, type Lanes } from '../test/support/lanes.ts';
import { createMockWorld, type MockWorld } from '../test/support/mock-activities.ts';
import type { deployModel } from './deploy-model.ts';
import { CONTROL_TASK_QUEUE, workflowIds } from './messages.ts';

let lanes: Lanes;
let runs = 0;

beforeAll(async () => {
  lanes = await createLanes(4, ['h1', 'h2']);
});
afterAll(() => lanes.close());

const STRATEGIES = {
  canary: { steps: [{ weight: 20, pauseSeconds: 0 }] },
  'blue-green': { strategy: 'blue-green', soakSeconds: 0 },
  recreate: { strategy: 'recreate' },
  reload: { strategy: 'reload', soakSeconds: 0 },
};

/** Until its traffic is switched, `blue-green` goes the way of `canary`. */
const AS_CANARY = [
  ...(['takeTurn', 'loadRollout', 'recordRolloutStatus', 'resolveModel', 'profileModel', 'planPlacement', 'applyPlan'] as const),
  ...(['engineSpec', 'fetchWeights', 'beginGeneration', 'startEngine', 'awaitEngineReady', 'setReplicaState'] as const),
  ...(['calibrateEngine', 'recordServing'] as const),
];

const worldOf = (rollout: Record<string, unknown>) => () => {
  const world = createMockWorld(rollout);
  world.replicas.set('old-1', { revision: 1, host: 'h1', state: 'ready', weight: 100, engine: true });
  return world;
};

async function run(world: MockWorld): Promise<RolloutStatus> {
  return lanes.use(world, async (client) => {
    const rolloutId = `chat-r2-${++runs}`;
    const handle = await client.workflow.start<typeof deployModel>('deployModel', {
      taskQueue: CONTROL_TASK_QUEUE,
      workflowId: workflowIds.deploy(rolloutId),
      args: [{ rolloutId }],
    });
    const stuck = setTimeout(() => handle.terminate(`stuck after ${world.calls.at(-1)?.name}`), 40_000);
    return handle.result().finally(() => clearTimeout(stuck));
  });
}

/** Engines that were started and of which nobody is left to stop them. */
function orphans(world: MockWorld): unknown[] {
  const ids = (name: string, of: (args: never[]) => unknown) =>
    world.calls.filter((c) => c.name === name).map((c) => of(c.args as never[]));
  const stopped = new Set(ids('stopEngine', ([id]) => id));
  return ids('startEngine', ([spec]: { replicaId: string }[]) => spec!.replicaId).filter(
    (id) => !world.replicas.has(id as string) && !stopped.has(id),
  );
}

const serving = (revision: number) => ({ revision, state: 'ready', weight: 100, engine: true });

describe.each(Object.entries(STRATEGIES))('%s', (strategy, rollout) => {
  const world = worldOf(rollout);

  it('goes back to the old revision, or has finished with the new one, whichever activity fails', async () => {
    const phases = new Set<string>();
    const failed = await failEachInTurn(
      world,
      run,
      (broken, status) => {
        phases.add(status.phase);
        expect(['rolled-back', 'succeeded'], status.reason).toContain(status.phase);
        // After the promotion there are failures that it gets over.
        if (status.phase === 'rolled-back') expect(status.reason).toContain('made to fail');
        expect(broken.rollout.ended).toEqual(status);
        const revision = status.phase === 'rolled-back' ? 1 : 2;
        const own = [...broken.replicas.values()].filter((r) => r.revision === revision);
        expect(own).toMatchObject([serving(revision)]);
        // After the promotion, what could not leave takes nothing any more; before it, nothing new is left.
        const others = [...broken.replicas.values()].filter((r) => r.revision !== revision);
        expect(others.filter((r) => r.weight > 0 || revision === 1)).toEqual([]);
        expect(orphans(broken)).toEqual([]);
      },
      { error: new UellmError({ kind: 'forbidden', reason: 'made to fail' }), except: strategy === 'blue-green' ? AS_CANARY : [] },
    );
    expect(failed).toEqual(expect.arrayContaining(['routeReplicas', strategy === 'reload' ? 'recordReloaded' : 'unrouteReplica']));
    expect(phases).toContain('rolled-back');
  }, 240_000);

  it('ends the same when every activity runs twice', async () => {
    const { once, twice } = await runEachTwice(world, run, ({ replicas }, { phase, stages }) => ({
      replicas: [...replicas],
      phase,
      stages: stages.map(({ stage, state, detail }) => ({ stage, state, detail })),
    }));
    expect(once).toMatchObject({ phase: 'succeeded', replicas: [[strategy === 'reload' ? 'old-1' : 'new-1', serving(2)]] });
    expect(twice).toEqual(once);
  });
});
