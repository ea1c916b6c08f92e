/** Carries out the moves of an applied plan: make before break, at most so many at once, each a child workflow named after what it moves. */
import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { PlaceMove, PlanSummary } from '../core/domain/plan.ts';
import { FULL_WEIGHT } from './canary.ts';
import { reasonOf } from './compensation.ts';
import { workflowIds } from './messages.ts';
import { placeReplica } from './place-replica.ts';
import { control } from './proxies.ts';
import { type RetiredReplica, retire } from './retire-replica.ts';

export interface MoveOutcome {
  /** The replica that left; null where one was only added. */
  retired: RetiredReplica | null;
  placed: { replicaId: string; host: string } | null;
  seconds: number;
}

export interface MovesResult {
  done: MoveOutcome[];
  /** What could not be moved, and why; nothing of it was lost. */
  failed: string[];
}

/**
 * @param reserved ids of the replicas that the applier let through; other places of the plan are left out
 * @param retiring ids of the replicas to retire without a replacement
 */
export async function executeMoves(
  plan: PlanSummary,
  { reserved, retiring }: { reserved: string[]; retiring: string[] },
  atOnce: number,
  reason: string,
): Promise<MovesResult> {
  const places = plan.places.filter((p) => reserved.includes(p.replicaId));
  const retires = plan.retires.filter((r) => retiring.includes(r.replicaId));
  const result: MovesResult = { done: [], failed: [] };
  const free = retires.filter((r) => !r.after).map((r) => r.replicaId);
  const work = [...places.map((move) => () => replace(move, reason)), ...free.map((id) => () => leave(id, reason))];
  await runJobs(work, atOnce, result);

  const serving = new Set(result.done.map((d) => d.placed?.replicaId));
  const superfluous = retires.filter((r) => r.after?.every((id) => serving.has(id)));
  for (const kept of retires.filter((r) => r.after && !superfluous.includes(r))) {
    result.failed.push(`${kept.replicaId} stays: not all that should take its place serve`);
  }
  await runJobs(
    superfluous.map((r) => () => leave(r.replicaId, reason)),
    atOnce,
    result,
  );
  return result;
}

async function runJobs(jobs: (() => Promise<MoveOutcome>)[], atOnce: number, result: MovesResult): Promise<void> {
  const next = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      try {
        result.done.push(await job());
      } catch (error) {
        result.failed.push(reasonOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, atOnce) }, next));
}

/** The new one serves before the old one leaves. */
async function replace(move: PlaceMove, reason: string): Promise<MoveOutcome> {
  const began = Date.now();
  const placed = await executeChild(placeReplica, {
    workflowId: workflowIds.place(move.replicaId),
    args: [move.replicaId],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
  await control.routeReplicas({ [move.replicaId]: FULL_WEIGHT }, move.reason);
  const retired = move.replaces ? await retire(move.replaces, `${reason}: replaced by ${move.replicaId} on ${move.host}`) : null;
  return { retired, placed: { replicaId: placed.replicaId, host: placed.host }, seconds: (Date.now() - began) / 1000 };
}

async function leave(replicaId: string, reason: string): Promise<MoveOutcome> {
  const began = Date.now();
  return { retired: await retire(replicaId, reason), placed: null, seconds: (Date.now() - began) / 1000 };
}
