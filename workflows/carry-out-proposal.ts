/**
 * A proposal from its making to its end. Keyed `proposal-<id>`. The row decides, and survives whatever becomes of this workflow: it shows what
 * waits for an operator, looks again when told that somebody has decided, and carries out what was approved, by the same moves or the same
 * rollout as anywhere else. Whoever decides starts it where it is not running.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { BegunProposal, ProposalStatus } from '../activities/index.ts';
import type { ProposalState } from '../core/domain/proposal.ts';
import { reasonOf } from './compensation.ts';
import { deployModel } from './deploy-model.ts';
import { decidedSignal, type ProposalInput, type ProposalResult, workflowIds } from './messages.ts';
import { executeMoves } from './moves.ts';
import { control, planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

const LOOK_AGAIN = '5s';

export async function carryOutProposal({ proposalId }: ProposalInput): Promise<ProposalResult> {
  let told = 0;
  setHandler(decidedSignal, () => {
    told += 1;
  });
  for (;;) {
    const heard = told;
    const status = await control.proposalStatus(proposalId);
    show(status);
    if (status.state === 'open') {
      await condition(() => told > heard, Math.max(1000, status.expiresAtMs - Date.now()));
      continue;
    }
    if (status.state !== 'approved') return { state: status.state, outcome: status.outcome };
    if (status.begun) {
      await giveUp(proposalId, status.deployment);
      continue;
    }
    const begun = await planning.beginProposal(proposalId);
    if (begun.step === 'over') continue;
    if (begun.step === 'wait') {
      show(status, `Waits: ${begun.reason}.`);
      await condition(() => told > heard, LOOK_AGAIN);
      continue;
    }
    show(status, 'It is being carried out.');
    const { state, outcome } = await carriedOut(begun);
    await control.endProposal(proposalId, state, outcome);
  }
}

/** The workflow that was carrying it out is gone, with whatever it knew: what it had only reserved is free again, what has moved stays. */
async function giveUp(proposalId: string, deployment: string): Promise<void> {
  await control.abandonMoves('rebalance', deployment);
  await control.endProposal(proposalId, 'failed', 'its workflow was gone before it was done: what has moved stays, the rest was given up');
}

async function carriedOut(begun: Exclude<BegunProposal, { step: 'over' | 'wait' }>): Promise<ProposalResult> {
  if (begun.step === 'rollout') return rollOut(begun.rolloutId, begun.correctionId);
  const { plan, applied } = begun;
  const { done, failed } = await executeMoves(plan, applied, 'approved');
  const moved = `${done.length} of ${plan.places.length + plan.retires.length} moves done`;
  const state: ProposalState = done.length > 0 || failed.length === 0 ? 'done' : 'failed';
  return { state, outcome: [moved, ...failed].join('; ') };
}

/** It goes its own way from here: through canary and analysis, paused, approved or aborted as any other. */
async function rollOut(rolloutId: string, correctionId: number): Promise<ProposalResult> {
  try {
    await startChild(deployModel, {
      workflowId: workflowIds.deploy(rolloutId),
      args: [{ rolloutId }],
      workflowIdReusePolicy: 'REJECT_DUPLICATE', // one that has ended by now was started before
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  await control.recordCorrectionStarted(correctionId);
  return { state: 'done', outcome: `rollout ${rolloutId} was started` };
}

function show({ deployment, state, summary, reasons, outlook, decidedBy, outcome, expiresAtMs }: ProposalStatus, more = ''): void {
  upsertSearchAttributes([
    { key: searchAttributes.deployment, value: deployment },
    { key: searchAttributes.outcome, value: state === 'open' ? 'waits-for-approval' : state },
  ]);
  const { before, after } = outlook ?? {};
  const share = (of: number | null | undefined) => (of == null ? 'unknown' : `${(of * 100).toFixed(1)} %`);
  const usd = (of: number | null | undefined) => (of == null ? 'unknown' : `${of.toFixed(2)} USD/h`);
  const figures = outlook
    ? `\n\nMoney ${usd(before?.usdPerHour)} -> ${usd(after?.usdPerHour)}, attainment ${share(before?.attainment)} -> ${share(after?.attainment)}.`
    : '';
  const until = state === 'open' ? ` Waits for approval until ${new Date(expiresAtMs).toISOString()}.` : '';
  const by = decidedBy ? ` by ${decidedBy}` : '';
  const why = reasons.length > 0 ? `\n\nWhy:\n\n${reasons.map((line) => `- ${line}`).join('\n')}` : '';
  setCurrentDetails(`**${state}**${by}: ${summary}.${until} ${outcome} ${more}${figures}${why}`);
}

/** Proposes what the planner would do with the deployments whose moves an operator approves; each proposal is shown by its own workflow. */
export async function proposeAll(newId: () => string): Promise<void> {
  for (const deployment of await control.deploymentsToProposeFor()) {
    try {
      const { open, withdrawn } = await planning.proposeMoves(deployment, newId());
      if (open) await showProposal(open.id, open.summary);
      if (withdrawn) await tellProposal(withdrawn);
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.error('nothing is proposed', { deployment, error: reasonOf(error) });
    }
  }
}

/** Its row has changed. Nobody may be listening. */
async function tellProposal(proposalId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowIds.proposal(proposalId)).signal(decidedSignal);
  } catch {
    // It has ended.
  }
}

/** Starts the workflow of a proposal where it does not run. */
export async function showProposal(proposalId: string, staticSummary: string): Promise<void> {
  try {
    await startChild(carryOutProposal, {
      workflowId: workflowIds.proposal(proposalId),
      args: [{ proposalId }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
