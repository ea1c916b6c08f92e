/**
 * Looks at demand and fleet, and moves what the planner would now place otherwise: scaling out, scaling in, leaving hosts that miss the SLO.
 * Keyed `rebalance-cluster`: a scheduled run and one that somebody asks for are the same thing and share that lock. A dry run only plans.
 */

import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { executeChild, setCurrentDetails, upsertSearchAttributes, uuid4 } from '@temporalio/workflow';
import { type RebalanceInput, type RebalanceResult, workflowIds } from './messages.ts';
import { executeMoves } from './moves.ts';
import { planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

const MOVES_AT_ONCE = 2;

export async function rebalanceCluster({ dryRun, requestedBy }: RebalanceInput): Promise<RebalanceResult> {
  const planId = uuid4();
  const plan = await planning.planPlacement.executeWithOptions({ summary: dryRun ? 'dry run' : `asked for by ${requestedBy}` }, [
    { planId, purpose: 'rebalance', subject: 'cluster', dryRun },
  ]);
  const moves = plan.places.length + plan.retires.length;
  if (moves === 0) {
    const [waiting] = plan.waiting;
    return end(
      waiting
        ? { planId, outcome: 'waiting', reason: waiting.message, summary: plan }
        : { planId: null, outcome: 'nothing-to-do', reason: plan.summary, summary: null },
    );
  }
  if (dryRun) return end({ planId, outcome: 'dry-run', reason: plan.summary, summary: plan });
  setCurrentDetails(`Plan \`${planId}\`: ${plan.summary}`);
  const applied = await planning.applyPlan(planId);
  const { done, failed } = await executeMoves(plan, applied, MOVES_AT_ONCE, 'rebalance');
  const left = [...applied.trimmed.map((t) => t.message), ...failed];
  return end({ planId, outcome: 'moved', reason: [`${done.length} of ${moves} moves done`, ...left].join('; '), summary: plan });
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
    return end({ planId: null, outcome: 'skipped', reason: 'a rebalance is running already', summary: null });
  }
}

function end(result: RebalanceResult): RebalanceResult {
  upsertSearchAttributes([{ key: searchAttributes.outcome, value: result.outcome }]);
  setCurrentDetails(`**${result.outcome}**: ${result.reason}${result.planId ? `\n\nPlan \`${result.planId}\`.` : ''}`);
  return result;
}
