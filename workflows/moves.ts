/**
 * Carries out the moves of an applied plan, each a child workflow named after what it moves. How many may go at once was decided when the plan
 * was applied, for the whole cluster: here they all begin.
 */
import { CancellationScope, executeChild, isCancellation, ParentClosePolicy } from '@temporalio/workflow';
import type { PlanSummary } from '../core/domain/plan.ts';
import { reasonOf } from './compensation.ts';
import { type MoveInput, type MoveOutcome, workflowIds } from './messages.ts';
import { moveReplica } from './move-replica.ts';
import { control } from './proxies.ts';
import { whenFree } from './when-free.ts';

export interface MovesResult {
  done: MoveOutcome[];
  /** What could not be moved, and why; nothing of it was lost. */
  failed: string[];
  /** How many moves were called off because whoever asked for them was cancelled: what they had begun is undone. */
  cancelled: number;
}

/**
 * Cancelled, it ends when the moves under way are undone; those that are done stay done.
 * @param reserved ids of the replicas that the applier let through; other places of the plan are left out
 * @param retiring ids of the replicas to retire without a replacement
 * @param untilMs since the epoch: requests that still run then on what leaves are ended; null for never
 */
export async function executeMoves(
  plan: PlanSummary,
  { reserved, retiring }: { reserved: string[]; retiring: string[] },
  reason: string,
  untilMs: number | null = null,
): Promise<MovesResult> {
  const retires = plan.retires.filter((r) => retiring.includes(r.replicaId));
  const result: MovesResult = { done: [], failed: [], cancelled: 0 };
  const all = (moves: Pick<MoveInput, 'place' | 'leaving'>[]) => Promise.all(moves.map((m) => tryMove({ ...m, reason, untilMs }, result)));
  await all([
    ...plan.places.filter((p) => reserved.includes(p.replicaId)).map((place) => ({ place, leaving: place.replaces ?? null })),
    ...retires.filter((r) => !r.after).map((r) => ({ place: null, leaving: r.replicaId })),
  ]);

  const serving = new Set(result.done.map((d) => d.placed?.replicaId));
  const after = retires.filter((r) => r.after);
  const superfluous = after.filter((r) => r.after?.every((id) => serving.has(id)));
  for (const kept of after.filter((r) => !superfluous.includes(r))) {
    result.failed.push(`${kept.replicaId} stays: not all that should take its place serve`);
    await CancellationScope.nonCancellable(() => control.endMoves([kept.replicaId]));
  }
  await all(superfluous.map((r) => ({ place: null, leaving: r.replicaId })));
  return result;
}

async function tryMove(input: MoveInput, result: MovesResult): Promise<void> {
  try {
    result.done.push(await move(input));
  } catch (error) {
    if (isCancellation(error)) result.cancelled += 1;
    else result.failed.push(reasonOf(error));
  }
}

/** Where the same is being moved already, by a run that was cut off, it ends first. */
function move(input: MoveInput): Promise<MoveOutcome> {
  const { place, leaving } = input;
  return whenFree(() =>
    executeChild(moveReplica, {
      workflowId: workflowIds.move(leaving ?? place?.replicaId ?? ''),
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: place ? `${leaving ?? 'one more'}: to ${place.host}` : `${leaving} leaves`,
    }),
  );
}
