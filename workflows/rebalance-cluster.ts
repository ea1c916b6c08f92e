/**
 * Looks at demand and fleet, and moves what the planner would now place otherwise: scaling out, scaling in, leaving hosts that miss the SLO.
 * Keyed `rebalance-cluster`: a scheduled run and one that somebody asks for are the same thing and share that lock. A dry run only plans.
 * Deployments that a rollout or a drain holds are left alone, and so are those that are not in `auto` mode: what would be done with them is
 * proposed. Cancelled, the moves under way are undone and those that are done stay.
 */

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  executeChild,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  uuid4,
} from '@temporalio/workflow';
import type { PlanSummary } from '../core/domain/plan.ts';
import type { Refusal } from '../core/domain/refusal.ts';
import { proposeAll } from './carry-out-proposal.ts';
import { cancelRebalanceUpdate, type RebalanceInput, type RebalanceResult, workflowIds } from './messages.ts';
import { executeMoves, type MovesResult } from './moves.ts';
import { control, planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

export async function rebalanceCluster({ dryRun, requestedBy }: RebalanceInput): Promise<RebalanceResult> {
  const work = new CancellationScope();
  let cancelledBy = 'whoever cancelled its workflow';
  setHandler(cancelRebalanceUpdate, ({ by }) => {
    cancelledBy = by;
    work.cancel();
  });
  try {
    return await work.run(() => rebalance({ dryRun, requestedBy }, () => cancelledBy));
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return end({
      planId: null,
      outcome: 'cancelled',
      reason: `cancelled by ${cancelledBy} before anything moved`,
      summary: null,
      held: [],
    });
  }
}

async function rebalance({ dryRun, requestedBy }: RebalanceInput, cancelledBy: () => string): Promise<RebalanceResult> {
  if (!dryRun) {
    await control.abandonMoves('rebalance', 'cluster');
    await proposeAll(uuid4);
  }
  const held = await control.rebalanceHolds();
  const planId = uuid4();
  const plan = await planning.planPlacement.executeWithOptions({ summary: dryRun ? 'dry run' : `asked for by ${requestedBy}` }, [
    { planId, purpose: 'rebalance', subject: 'cluster', dryRun },
  ]);
  const moves = plan.places.length + plan.retires.length;
  if (moves === 0) return end(withoutMoves(plan, planId, held));
  if (dryRun) return end({ planId, outcome: 'dry-run', reason: wordsOf(plan.summary, held), summary: plan, held });
  setCurrentDetails(`Plan \`${planId}\`: ${wordsOf(plan.summary, held)}`);
  const applied = await planning.applyPlan(planId);
  const result = await executeMoves(plan, applied, 'rebalance');
  const left = [...applied.trimmed.map((t) => t.message), ...result.failed];
  const reason = wordsOf([doneOf(result, moves, cancelledBy()), ...left].join('; '), held);
  return end({ planId, outcome: outcomeOf(result, applied.trimmed.length), reason, summary: plan, held });
}

function withoutMoves(plan: PlanSummary, planId: string, held: Refusal[]): RebalanceResult {
  const [waiting] = plan.waiting;
  if (waiting) return { planId, outcome: 'waiting', reason: waiting.message, summary: plan, held };
  const outcome = held.length > 0 ? 'skipped' : 'nothing-to-do';
  return { planId: null, outcome, reason: wordsOf(plan.summary, held), summary: null, held };
}

function outcomeOf({ done, cancelled, failed }: MovesResult, trimmed: number): RebalanceResult['outcome'] {
  if (cancelled > 0) return 'cancelled';
  return done.length === 0 && failed.length === 0 && trimmed > 0 ? 'waiting' : 'moved';
}

function doneOf({ done, cancelled }: MovesResult, moves: number, by: string): string {
  const moved = `${done.length} of ${moves} moves done`;
  return cancelled > 0 ? `cancelled by ${by}: ${moved}, ${cancelled} undone` : moved;
}

function wordsOf(reason: string, held: readonly Refusal[]): string {
  return held.length > 0 ? `${reason}; left alone: ${held.map((h) => h.message).join(', ')}` : reason;
}

/** What the schedule starts: the same rebalancing under the same lock, or a word on why it did not run. */
export async function scheduledRebalance(): Promise<RebalanceResult> {
  try {
    return await executeChild(rebalanceCluster, {
      workflowId: workflowIds.rebalance,
      args: [{ dryRun: false, requestedBy: 'the schedule' }],
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return end({ planId: null, outcome: 'skipped', reason: 'a rebalance is running already', summary: null, held: [] });
  }
}

function end(result: RebalanceResult): RebalanceResult {
  upsertSearchAttributes([{ key: searchAttributes.outcome, value: result.outcome }]);
  setCurrentDetails(`**${result.outcome}**: ${result.reason}${result.planId ? `\n\nPlan \`${result.planId}\`.` : ''}`);
  return result;
}
