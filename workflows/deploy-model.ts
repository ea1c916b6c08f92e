/**
 * A rollout: one revision of a deployment, from its config to full traffic. Keyed by the rollout (`deploy-<rolloutId>`); a unique index lets
 * one rollout of a deployment run at a time, and a newer one waits until it has ended. Before every stage it waits while paused; an abort, a
 * newer rollout, a stage beyond its deadline or any failure before the promotion is over unwinds to where it was: the old revision gets all
 * traffic back, and what was placed is drained and stopped.
 *
 * `canary` and `blue-green` place the new revision beside the old one. `recreate` lets the old one leave first; unwinding places it again.
 * `reload` places nothing: the engines that serve go over to it, and back where it unwinds. Where none serves yet, it places as usual.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { RolloutRecord } from '../activities/index.ts';
import { counted } from '../core/domain/counted.ts';
import { FULL_WEIGHT } from '../core/domain/replica.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { Compensations, reasonOf } from './compensation.ts';
import { type DeployModelInput, type ReplicaProgress, replicaProgressSignal } from './messages.ts';
import { control, controlBriefly, planning } from './proxies.ts';
import { servingBefore, shiftTraffic, switchTraffic } from './rollout-canary.ts';
import { type RolloutControls, takeControls } from './rollout-controls.ts';
import { checkRoom, linesOf, placeAll, planAndReserve, restoreRevision, retireLeftBehind, retireOthers } from './rollout-placing.ts';
import { callNext, untilTurn } from './rollout-queue.ts';
import { reloadAll, reloadTargets } from './rollout-reload.ts';
import { searchAttributes } from './search-attributes.ts';
import { StageBoard } from './stage-board.ts';

export async function deployModel({ rolloutId }: DeployModelInput): Promise<RolloutStatus> {
  const board = new StageBoard(rolloutId);
  const undo = new Compensations();
  const work = new CancellationScope();
  const controls = takeControls(board, work);
  const progress: ReplicaProgress[] = [];
  setHandler(replicaProgressSignal, async (p) => {
    progress.push(p);
    const line = linesOf(progress, p.passed);
    // The end of a stage is recorded anyway.
    if (p.underway) await board.tell(p.passed, line);
    else board.note(p.passed, line);
  });

  const status = await work
    .run(() => rollOut(rolloutId, board, undo, controls, progress))
    .catch((error) => ended(error, board, undo, controls));
  await CancellationScope.nonCancellable(async () => {
    // First: a rollout back to that revision would take them for its own.
    await retireLeftBehind(board.leftBehind);
    await callNext(controls.successor);
    await condition(allHandlersFinished);
  });
  return status;
}

async function rollOut(
  rolloutId: string,
  board: StageBoard,
  undo: Compensations,
  controls: RolloutControls,
  progress: readonly ReplicaProgress[],
): Promise<RolloutStatus> {
  const over = await untilTurn(board, rolloutId);
  if (over) return board.endedElsewhere(over);
  const rollout = await controlBriefly.loadRollout(rolloutId);
  const { spec, deployment, revision } = rollout;
  board.follow(spec.rollout);
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
  const { strategy } = spec.rollout;
  const placed =
    strategy === 'recreate'
      ? await recreate(board, undo, rollout, controls, progress)
      : ((strategy === 'reload' ? await reload(board, undo, rollout, controls) : null) ??
        (await placeBeside(board, undo, rollout, controls, progress)));
  await board.run(
    'promote',
    () => switchTraffic(board, rollout, placed),
    (detail) => detail,
  );
  await board.untilGoing();
  controls.close();
  undo.commit();

  return CancellationScope.nonCancellable(async () => {
    if (strategy !== 'recreate') await retireStage(board, rollout);
    await board.finish(`revision ${revision} is current`);
    return board.end('succeeded', `revision ${revision} serves`);
  });
}

/** @returns ids of the replicas of the new revision, as all of these do */
async function placeBeside(
  board: StageBoard,
  undo: Compensations,
  rollout: RolloutRecord,
  controls: RolloutControls,
  progress: readonly ReplicaProgress[],
): Promise<string[]> {
  const placed = await planAndReserve(board, undo, rollout);
  await placeAll(board, undo, placed, progress);
  undo.register('give the old revision its traffic back', () => restoreTraffic(rollout));
  if (rollout.spec.rollout.strategy !== 'blue-green') await shiftTraffic(board, rollout, placed);
  await awaitApproval(board, rollout, controls);
  return placed;
}

async function recreate(
  board: StageBoard,
  undo: Compensations,
  rollout: RolloutRecord,
  controls: RolloutControls,
  progress: readonly ReplicaProgress[],
): Promise<string[]> {
  await checkRoom(board, rollout);
  await awaitApproval(board, rollout, controls);
  undo.register(`bring revision ${rollout.fromRevision} back`, () => restoreRevision(rollout));
  await retireStage(board, rollout);
  const placed = await planAndReserve(board, undo, rollout);
  await placeAll(board, undo, placed, progress);
  return placed;
}

/** @returns null where no engine of an earlier revision is there: then there is nothing to reload */
async function reload(board: StageBoard, undo: Compensations, rollout: RolloutRecord, controls: RolloutControls): Promise<string[] | null> {
  const targets = await board.run(
    'plan',
    () => reloadTargets(board, rollout),
    (t) =>
      t.length > 0 ? `the same replicas, on the same accelerators: ${t.map((one) => one.replicaId).join(', ')}` : 'nothing serves yet',
  );
  if (targets.length === 0) return null;
  await board.skip('reserve', 'the same replicas, on the same accelerators');
  await awaitApproval(board, rollout, controls);
  return reloadAll(board, undo, rollout, targets);
}

/** Goes back to where it was, unless it was promoted. */
async function ended(error: unknown, board: StageBoard, undo: Compensations, controls: RolloutControls): Promise<RolloutStatus> {
  return CancellationScope.nonCancellable(async () => {
    if (controls.closed) return board.end('succeeded', `promoted; afterwards: ${reasonOf(error)}`);
    const { calledBack } = controls;
    const reason = calledBack?.reason ?? (isCancellation(error) ? 'the workflow was cancelled' : reasonOf(error));
    await board.rollBack(reason);
    const failures = await undo.unwind();
    const message = [reason, ...failures.map((f) => `not undone: ${f}`)].join('; ');
    if (failures.length > 0) return board.end('failed', message);
    return board.end(calledBack?.by === 'newer rollout' ? 'superseded' : 'rolled-back', message);
  });
}

async function awaitApproval(board: StageBoard, { spec }: RolloutRecord, controls: RolloutControls): Promise<void> {
  if (spec.rollout.approval === 'auto') return board.skip('approve', 'approval is automatic');
  await board.run(
    'approve',
    async () => {
      board.awaitsApproval = true;
      await board.show('waits for approval');
      const by = await controls.untilApproved();
      board.awaitsApproval = false;
      await board.show(`approved by ${by}`);
      return by;
    },
    (by) => `approved by ${by}`,
  );
}

async function retireStage(board: StageBoard, rollout: RolloutRecord): Promise<void> {
  await board.run(
    'retire',
    () => retireOthers(rollout),
    (n) => (n === 0 ? 'nothing to retire' : `${counted(n, 'replica')} of earlier revisions drained and stopped`),
  );
}

async function restoreTraffic(rollout: RolloutRecord): Promise<void> {
  const before = await servingBefore(rollout);
  await control.routeReplicas(Object.fromEntries(before.map((id) => [id, FULL_WEIGHT])), 'the rollout was rolled back');
}
