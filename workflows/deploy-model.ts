/**
 * A rollout: one revision of a deployment, from its config to full traffic. Keyed by the rollout (`deploy-<rolloutId>`); a unique index lets
 * one rollout of a deployment run at a time. Before every stage it waits while paused; an abort, or any failure before promotion, unwinds
 * to where it was: the old revision gets all traffic back, and what was placed is drained and stopped.
 */
import {
  ApplicationFailure,
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  uuid4,
} from '@temporalio/workflow';
import type { RolloutRecord } from '../activities/index.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { canaryVerdict, canaryWeights, FULL_WEIGHT } from './canary.ts';
import { Compensations, reasonOf } from './compensation.ts';
import { type DeployModelInput, type PlacingStage, type ReplicaProgress, replicaProgressSignal, workflowIds } from './messages.ts';
import { placeReplica } from './place-replica.ts';
import { control, controlBriefly, onHost, planning } from './proxies.ts';
import { retireAll } from './retire-replica.ts';
import { type RolloutControls, takeControls } from './rollout-controls.ts';
import { searchAttributes } from './search-attributes.ts';
import { StageBoard } from './stage-board.ts';

/** How long a rollout waits for room in the fleet, looking again every few seconds. */
const CAPACITY_WAIT_MS = 10 * 60_000;
const LOOK_AGAIN = '5s';
/** How long a new revision whose engines ended may take to serve again before it is given up. */
const SERVING_WAIT_MS = 3 * 60_000;

export async function deployModel({ rolloutId }: DeployModelInput): Promise<RolloutStatus> {
  const board = new StageBoard(rolloutId);
  const undo = new Compensations();
  const work = new CancellationScope();
  const controls = takeControls(board, work);
  const progress: ReplicaProgress[] = [];
  setHandler(replicaProgressSignal, (p) => {
    progress.push(p);
    board.note(p.passed, linesOf(progress, p.passed));
  });

  try {
    return await work.run(async () => {
      const rollout = await controlBriefly.loadRollout(rolloutId);
      const { spec, deployment, revision } = rollout;
      upsertSearchAttributes([
        { key: searchAttributes.model, value: spec.model },
        { key: searchAttributes.deployment, value: deployment },
      ]);

      const { shape } = await board.run(
        'resolve',
        () => control.resolveModel(spec.model),
        (r) => r.detail,
      );
      await board.run(
        'profile',
        () => planning.profileModel(shape),
        (detail) => detail,
      );
      const placed = await planAndReserve(board, undo, rollout);
      await placeAll(board, placed, progress);

      undo.register('give the old revision its traffic back', () => restoreTraffic(rollout));
      await shiftTraffic(board, rollout, placed);
      await awaitApproval(board, rollout, controls);
      await board.run(
        'promote',
        async () => {
          await untilServing(rollout);
          await promote(rollout, placed);
        },
        () => `revision ${revision} takes all traffic`,
      );
      controls.close();
      undo.commit();

      await CancellationScope.nonCancellable(async () => {
        await board.run(
          'retire',
          () => retireOthers(rollout),
          (n) => (n === 0 ? 'nothing to retire' : `${n} replicas of earlier revisions drained and stopped`),
        );
        await board.run(
          'record',
          async () => {},
          () => `revision ${revision} is current`,
        );
      });
      return board.end('succeeded', `revision ${revision} serves on ${placed.length} replicas`);
    });
  } catch (error) {
    if (controls.closed) return board.end('succeeded', `promoted; afterwards: ${reasonOf(error)}`);
    const reason = controls.abortedBy
      ? `aborted by ${controls.abortedBy}`
      : isCancellation(error)
        ? 'the workflow was cancelled'
        : reasonOf(error);
    return CancellationScope.nonCancellable(async () => {
      await board.show(reason, 'rolling-back');
      const failures = await undo.unwind();
      const message = [reason, ...failures.map((f) => `not undone: ${f}`)].join('; ');
      return board.end(failures.length === 0 ? 'rolled-back' : 'failed', message);
    });
  }
}

/** Plans until something fits, and reserves it. A plan that no longer fits when it is applied is given back and made anew. */
async function planAndReserve(board: StageBoard, undo: Compensations, { id, deployment }: RolloutRecord): Promise<string[]> {
  const deadline = Date.now() + CAPACITY_WAIT_MS;
  for (;;) {
    const planId = uuid4();
    board.planId = planId;
    const plan = await board.run(
      'plan',
      () => planning.planPlacement({ planId, purpose: 'deploy', subject: deployment, rolloutId: id }),
      (p) => p.summary,
    );
    if (plan.places.length > 0) {
      undo.register('retire what was placed', () =>
        retireAll(
          plan.places.map((p) => p.replicaId),
          'the rollout was rolled back',
        ),
      );
      const applied = await board.run(
        'reserve',
        () => planning.applyPlan(planId),
        (a) => `${a.reserved.length} replicas hold their accelerators`,
      );
      if (applied.reserved.length === plan.places.length) return applied.reserved;
      await retireAll(applied.reserved, 'its plan no longer fitted');
    }
    const [waiting] = plan.waiting;
    const why = waiting ? [waiting.message, waiting.nearest].filter(Boolean).join('; ') : 'the fleet changed while planning';
    const hopeless = plan.waiting.length > 0 && plan.waiting.every((w) => w.kind === 'refused');
    if (hopeless || Date.now() >= deadline) throw ApplicationFailure.nonRetryable(why, 'refused', waiting);
    await board.show(`waiting, at most until ${new Date(deadline).toISOString().slice(11, 19)} UTC: ${why}`);
    await sleep(LOOK_AGAIN);
  }
}

/** Starts every replica at once; a stage is over when the slowest has passed it. */
async function placeAll(board: StageBoard, replicaIds: string[], progress: readonly ReplicaProgress[]): Promise<void> {
  const children: ChildWorkflowHandle<typeof placeReplica>[] = [];
  for (const id of replicaIds) {
    children.push(
      await startChild(placeReplica, {
        workflowId: workflowIds.place(id),
        args: [id],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      }),
    );
  }
  const all = Promise.all(children.map((c) => c.result()));
  all.catch(() => {}); // a failure surfaces at the stage that waits for it
  for (const stage of ['fetch', 'start', 'calibrate'] as const) {
    const passed = () => replicaIds.every((id) => progress.some((p) => p.replicaId === id && p.passed === stage));
    await board.run(
      stage,
      () => Promise.race([all, condition(passed)]),
      () => linesOf(progress, stage),
    );
  }
  await all;
}

/** What each replica said last of a stage. */
function linesOf(progress: readonly ReplicaProgress[], stage: PlacingStage): string {
  return [...new Map(progress.filter((p) => p.passed === stage).map((p) => [p.replicaId, p.detail])).values()].join('; ');
}

/** The canary: a rising share of the traffic for the new revision, each step held for its pause and judged on live observations. */
async function shiftTraffic(board: StageBoard, { deployment, revision, spec }: RolloutRecord, placed: string[]): Promise<void> {
  const others = await control.servingReplicas(deployment, revision, 'others');
  const steps = spec.rollout.strategy === 'canary' ? spec.rollout.steps : [];
  if (others.length === 0) return board.skip('canary', 'no earlier revision serves: there is nothing to compare with');
  if (steps.length === 0)
    return board.skip(
      'canary',
      spec.rollout.strategy === 'canary' ? 'the deployment has no canary steps' : `strategy ${spec.rollout.strategy} has none`,
    );
  await board.run(
    'canary',
    async () => {
      const lines: string[] = [];
      for (const step of steps) {
        const since = await control.currentTimeMs();
        await control.routeReplicas(canaryWeights(step.weight, placed, others), `canary at ${step.weight} %`);
        await board.show(`${step.weight} % of the traffic for ${step.pauseSeconds} s`);
        await sleep(step.pauseSeconds * 1000);
        await untilServing({ deployment, revision });
        const verdict = canaryVerdict(await control.compareRevisions(deployment, revision, since));
        if (!verdict.good) throw ApplicationFailure.nonRetryable(`canary at ${step.weight} %: ${verdict.why}`, 'refused');
        lines.push(`${step.weight} %: ${verdict.why}`);
      }
      return lines.join('; ');
    },
    (detail) => detail,
  );
}

async function awaitApproval(board: StageBoard, { spec }: RolloutRecord, controls: RolloutControls): Promise<void> {
  if (spec.rollout.approval === 'auto') return board.skip('approve', 'approval is automatic');
  await board.run(
    'approve',
    async () => {
      await board.show('waits for approval', 'awaiting-approval');
      const by = await controls.untilApproved();
      await board.show(`approved by ${by}`, 'running');
      return by;
    },
    (by) => `approved by ${by}`,
  );
}

/**
 * Waits until every replica of the new revision serves: one whose engine ended on the way is being started again. What does not serve
 * in time is not promoted, however good the canary looked.
 */
async function untilServing({ deployment, revision }: Pick<RolloutRecord, 'deployment' | 'revision'>): Promise<void> {
  for (const deadline = Date.now() + SERVING_WAIT_MS; ; ) {
    const replicas = await control.livingReplicas(deployment, revision, 'this');
    const ready = await Promise.all(replicas.map(({ id, host }) => onHost(host).isEngineReady(id)));
    if (replicas.length > 0 && ready.every(Boolean)) return;
    const silent = replicas.filter((_, i) => !ready[i]).map((r) => `${r.id} on ${r.host}`);
    if (Date.now() >= deadline)
      throw ApplicationFailure.nonRetryable(`not serving: ${silent.join(', ') || 'no replica is left'}`, 'refused');
    await sleep('2s');
  }
}

/** All traffic to the new revision: what was placed, and what a drain has meanwhile put in the place of one of them. */
async function promote({ deployment, revision }: RolloutRecord, placed: string[]): Promise<void> {
  const moved = await control.servingReplicas(deployment, revision, 'this');
  const others = await control.servingReplicas(deployment, revision, 'others');
  const weights = Object.fromEntries([...[...placed, ...moved].map((id) => [id, FULL_WEIGHT]), ...others.map((id) => [id, 0])]);
  await control.routeReplicas(weights, `revision ${revision} promoted`);
}

async function restoreTraffic({ deployment, revision }: RolloutRecord): Promise<void> {
  const others = await control.servingReplicas(deployment, revision, 'others');
  await control.routeReplicas(Object.fromEntries(others.map((id) => [id, FULL_WEIGHT])), 'the rollout was rolled back');
}

async function retireOthers({ deployment, revision }: RolloutRecord): Promise<number> {
  const others = await control.livingReplicas(deployment, revision, 'others');
  await retireAll(
    others.map((r) => r.id),
    `revision ${revision} took over`,
  );
  return others.length;
}
