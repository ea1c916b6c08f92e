/** A revision gets its accelerators and its engines: a new one on its way in, or one that had to leave and is wanted back. */
import {
  ApplicationFailure,
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  executeChild,
  log,
  ParentClosePolicy,
  sleep,
  startChild,
  upsertSearchAttributes,
  uuid4,
} from '@temporalio/workflow';
import type { RolloutRecord } from '../activities/index.ts';
import { counted } from '../core/domain/counted.ts';
import type { PlanSummary } from '../core/domain/plan.ts';
import { inWords, type Refusal } from '../core/domain/refusal.ts';
import { FULL_WEIGHT } from '../core/domain/replica.ts';
import { type Compensations, reasonOf } from './compensation.ts';
import { type PlacingStage, type ReplicaProgress, workflowIds } from './messages.ts';
import { placeReplica } from './place-replica.ts';
import { control, planning } from './proxies.ts';
import { retire, retireAll } from './retire-replica.ts';
import { searchAttributes } from './search-attributes.ts';
import type { StageBoard } from './stage-board.ts';

const LOOK_AGAIN = '5s';
/** How long the old revision is tried to be brought back before somebody has to look. */
const RESTORE_WAIT_MS = 30 * 60_000;

/**
 * Plans until something fits, and reserves it. A plan that no longer fits when it is applied is given back and made anew.
 * @returns ids of the replicas that hold their accelerators; none where enough of the revision serves already
 */
export async function planAndReserve(board: StageBoard, undo: Compensations, rollout: RolloutRecord): Promise<string[]> {
  for (;;) {
    const plan = await board.run(
      'plan',
      () => untilPlanned(board, rollout, {}),
      (p) => p.summary,
    );
    if (plan.places.length === 0) {
      await board.skip('reserve', 'enough of it serves already');
      return [];
    }
    undo.register('retire what was placed', () =>
      retireAll(
        plan.places.map((p) => p.replicaId),
        'the rollout was rolled back',
      ),
    );
    const applied = await board.run(
      'reserve',
      () => planning.applyPlan(plan.planId),
      (a) => `accelerators are reserved for ${counted(a.reserved.length, 'replica')}`,
    );
    upsertSearchAttributes([{ key: searchAttributes.hosts, value: [...new Set(plan.places.map((p) => p.host))] }]);
    if (applied.reserved.length === plan.places.length) return applied.reserved;
    await retireAll(applied.reserved, 'its plan no longer fitted');
    await board.show('the fleet changed while planning: plans anew');
    await sleep(LOOK_AGAIN);
  }
}

/** Before the old revision leaves: would the new one fit where it was? */
export async function checkRoom(board: StageBoard, rollout: RolloutRecord): Promise<void> {
  await board.run(
    'plan',
    () => untilPlanned(board, rollout, { withoutOthers: true, dryRun: true }),
    (plan) => `once the old revision has left: ${plan.summary}`,
  );
}

/** Asks for a plan until it places something, or nothing is missing. @throws ApplicationFailure `refused` where it never will */
async function untilPlanned(
  board: StageBoard,
  { id, deployment }: RolloutRecord,
  options: { withoutOthers?: true; dryRun?: true },
): Promise<PlanSummary> {
  for (;;) {
    const planId = uuid4();
    board.planId = planId;
    const plan = await planning.planPlacement({ planId, purpose: 'deploy', subject: deployment, rolloutId: id, ...options });
    const [waiting] = plan.waiting;
    if (plan.places.length > 0 || !waiting) return { ...plan, planId };
    await waitOrGiveUp(board, waiting, inWords(waiting), { forGood: plan.waiting.every((w) => w.kind === 'refused') });
  }
}

/** With the reason in sight, for a moment, before whoever asked looks again. @throws ApplicationFailure `refused` where that is of no use */
export async function waitOrGiveUp(board: StageBoard, refusal: Refusal, why: string, { forGood }: { forGood: boolean }): Promise<void> {
  if (forGood) throw ApplicationFailure.nonRetryable(why, 'refused', refusal);
  board.note('plan', why);
  await board.show(`waiting: ${why}`);
  await sleep(LOOK_AGAIN);
}

/** Starts every replica at once; a stage is over when the slowest has passed it. */
export async function placeAll(
  board: StageBoard,
  undo: Compensations,
  replicaIds: string[],
  progress: readonly ReplicaProgress[],
): Promise<void> {
  const children: ChildWorkflowHandle<typeof placeReplica>[] = [];
  const placing = new CancellationScope();
  undo.register('stop placing', async () => {
    placing.cancel();
    await Promise.allSettled(children.map((c) => c.result()));
  });
  board.link(replicaIds.map(workflowIds.place));
  await placing.run(async () => {
    for (const id of replicaIds) {
      children.push(
        await startChild(placeReplica, {
          workflowId: workflowIds.place(id),
          args: [id],
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        }),
      );
    }
  });
  const all = Promise.all(children.map((c) => c.result()));
  all.catch(() => {}); // a failure surfaces at the stage that waits for it
  for (const stage of ['fetch', 'start', 'calibrate'] as const) {
    const passed = () => replicaIds.every((id) => progress.some((p) => p.replicaId === id && p.passed === stage && !p.underway));
    await board.run(
      stage,
      () => Promise.race([all, condition(passed)]),
      () => linesOf(progress, stage),
    );
  }
  await all;
}

/** What each replica said last of a stage. */
export function linesOf(progress: readonly ReplicaProgress[], stage: PlacingStage): string {
  return [...new Map(progress.filter((p) => p.passed === stage).map((p) => [p.replicaId, p.detail])).values()].join('; ');
}

/** Drains and stops all other revisions. Where that fails, or is called off, those that had not left serve again. @returns how many left */
export async function retireOthers({ deployment, revision }: RolloutRecord): Promise<number> {
  const others = await control.livingReplicas(deployment, revision, 'others');
  // All of them have ended, or stay, before anything is concluded from one that failed.
  const ended = await Promise.allSettled(others.map(({ id }) => retire(id, `revision ${revision} took over`)));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return others.length;
}

/**
 * What a drain or a replacement brought up of the old revision while that was leaving, and what could not leave then. From here on nothing more
 * comes. Where it cannot leave now either, it is left to the next rebalance.
 */
export async function retireLeftBehind(replicaIds: readonly string[]): Promise<void> {
  const ended = await Promise.allSettled(replicaIds.map((id) => retire(id, 'its revision is no longer the current one')));
  for (const one of ended) if (one.status === 'rejected') log.error('a replica is left behind', { error: reasonOf(one.reason) });
}

/**
 * Brings back the revision that served when the rollout began, by its own spec: what is missing of it is planned, placed and routed.
 * @throws ApplicationFailure `refused`, with what it waited for
 */
export async function restoreRevision(rollout: RolloutRecord): Promise<void> {
  const { id, deployment, revision, fromRevision } = rollout;
  const serving = await control.servingReplicas(deployment, revision, 'others');
  const others = await control.livingReplicas(deployment, revision, 'others');
  // What had begun to leave and got stuck goes, so that its place is free for its successor.
  const stuck = others.map((r) => r.id).filter((replicaId) => !serving.includes(replicaId));
  await retireAll(stuck, 'it had begun to leave');
  if (fromRevision === null) return;
  for (const untilMs = Date.now() + RESTORE_WAIT_MS; ; ) {
    const planId = uuid4();
    const plan = await planning.planPlacement.executeWithOptions({ summary: `revision ${fromRevision} again` }, [
      { planId, purpose: 'deploy', subject: deployment, rolloutId: id, revision: fromRevision },
    ]);
    let why = plan.waiting.map(inWords).join('. ');
    if (plan.places.length === 0 && plan.waiting.length === 0) return;
    if (plan.places.length > 0) {
      const { reserved } = await planning.applyPlan(planId);
      const placed = await Promise.allSettled(reserved.map((replicaId) => bringBack(replicaId, `revision ${fromRevision} is back`)));
      const failed = placed.flatMap((p) => (p.status === 'rejected' ? [reasonOf(p.reason)] : []));
      if (failed.length === 0 && reserved.length === plan.places.length) return;
      why = failed.join('; ') || 'the fleet changed while planning';
    }
    if (Date.now() >= untilMs) throw ApplicationFailure.nonRetryable(why, 'refused');
    await sleep(LOOK_AGAIN);
  }
}

async function bringBack(replicaId: string, reason: string): Promise<void> {
  await executeChild(placeReplica, {
    workflowId: workflowIds.place(replicaId),
    args: [replicaId],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
  await control.routeReplicas({ [replicaId]: FULL_WEIGHT }, reason);
}
