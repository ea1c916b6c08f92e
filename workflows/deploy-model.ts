/**
 * A rollout: one revision of a deployment, from its config to full traffic. Keyed by the rollout (`deploy-<rolloutId>`); a unique index lets
 * one rollout of a deployment run at a time, and a newer one waits until it has ended. Before every stage it waits while paused; an abort, a
 * newer rollout, a stage beyond its deadline or any failure before the promotion is over unwinds to where it was: the old revision gets all
 * traffic back, and what was placed is drained and stopped.
 *
 * `canary` and `blue-green` place the new revision beside the old one. `recreate` lets the old one leave first; unwinding places it again.
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
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { FULL_WEIGHT } from './canary.ts';
import { Compensations, reasonOf } from './compensation.ts';
import { type DeployModelInput, type ReplicaProgress, replicaProgressSignal } from './messages.ts';
import { control, controlBriefly, planning } from './proxies.ts';
import { shiftTraffic, switchTraffic } from './rollout-canary.ts';
import { type RolloutControls, takeControls } from './rollout-controls.ts';
import { checkRoom, linesOf, placeAll, planAndReserve, restoreRevision, retireOthers } from './rollout-placing.ts';
import { callNext, untilTurn } from './rollout-queue.ts';
import { searchAttributes } from './search-attributes.ts';
import { StageBoard } from './stage-board.ts';

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

  const status = await work
    .run(() => rollOut(rolloutId, board, undo, controls, progress))
    .catch((error) => ended(error, board, undo, controls));
  await CancellationScope.nonCancellable(async () => {
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
  const isBesideTheOld = spec.rollout.strategy !== 'recreate';
  if (!isBesideTheOld) {
    await checkRoom(board, rollout);
    await awaitApproval(board, rollout, controls);
    undo.register(`bring revision ${rollout.fromRevision} back`, () => restoreRevision(rollout));
    await retireStage(board, rollout);
  }
  const placed = await planAndReserve(board, undo, rollout);
  await placeAll(board, undo, placed, progress);

  if (isBesideTheOld) {
    undo.register('give the old revision its traffic back', () => restoreTraffic(rollout));
    if (spec.rollout.strategy === 'canary') await shiftTraffic(board, rollout, placed);
    await awaitApproval(board, rollout, controls);
  }
  await board.run(
    'promote',
    () => switchTraffic(board, rollout, placed),
    (detail) => detail,
  );
  await board.untilGoing();
  controls.close();
  undo.commit();

  return CancellationScope.nonCancellable(async () => {
    if (isBesideTheOld) await retireStage(board, rollout);
    await board.run(
      'record',
      async () => {},
      () => `revision ${revision} is current`,
    );
    return board.end('succeeded', `revision ${revision} serves`);
  });
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
    (n) => (n === 0 ? 'nothing to retire' : `${n} replicas of earlier revisions drained and stopped`),
  );
}

async function restoreTraffic({ deployment, revision }: RolloutRecord): Promise<void> {
  const others = await control.servingReplicas(deployment, revision, 'others');
  await control.routeReplicas(Object.fromEntries(others.map((id) => [id, FULL_WEIGHT])), 'the rollout was rolled back');
}
