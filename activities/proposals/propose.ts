/** What the planner would do with a deployment that is not in `auto` mode, written down as a proposal. */

import { fingerprintOf, PROPOSAL_HOURS } from '../../core/domain/proposal.ts';
import { holdsAccelerators } from '../../core/domain/replica.ts';
import { leavingOf } from '../../core/placement/budget.ts';
import type { PlanInput, PlanOutput } from '../../core/placement/types.ts';
import type { Transaction } from '../../db/client.ts';
import { heldMode } from '../../db/queries/modes.ts';
import { latestAppliedPlan, lockPlanning, savePlan } from '../../db/queries/plans.ts';
import {
  expireProposals,
  insertProposal,
  lockProposal,
  type ProposalRow,
  pendingMoves,
  settleProposal,
  wasDeclined,
} from '../../db/queries/proposals.ts';
import type { ControlDeps } from '../deps.ts';
import { loadPlanInput } from '../planning-input.ts';

export interface ProposedMoves {
  /** What waits for an operator, or is being carried out; null where nothing is. */
  open: { id: string; summary: string } | null;
  /** The proposal that waited until now, and is not to be approved any more. */
  withdrawn: string | null;
}

/**
 * One proposal at a time: what the planner finds again stays as it is, what it finds otherwise takes its place, and what it does not find any
 * more is withdrawn. What an operator has declined is not proposed again while it would not have expired.
 * @param id of the proposal, should there be a new one, and of its plan
 */
export async function proposeMoves(deps: ControlDeps, deployment: string, id: string): Promise<ProposedMoves> {
  const now = new Date(deps.now());
  // By itself: a change of mode locks the deployment first, and then its proposals, as the rest here does.
  await deps.db.transaction((tx) => expireProposals(tx, now));
  return deps.db.transaction(async (tx) => {
    await lockPlanning(tx);
    const pending = await pendingMoves(tx, deployment);
    const unchanged = { open: openOf(pending), withdrawn: null };
    // Approved, it is under way; of this id, the activity runs a second time.
    if (pending?.state === 'approved' || pending?.id === id) return unchanged;
    const input = await loadPlanInput(tx, deps, { planId: id, purpose: 'rebalance', subject: deployment, only: deployment });
    if (input.deployments.length === 0) return unchanged; // a rollout or a drain has it, or nothing serves
    const output = await deps.plan(input);
    const mode = await heldMode(tx, deployment);
    if (mode === null || mode === 'auto' || (await isDecided(tx, pending))) return unchanged;
    const present = input.replicas.filter((r) => r.deployment === deployment && holdsAccelerators(r.state)).length;
    const fingerprint = fingerprintOf(output.moves, present);
    const onlyWaits = output.moves.length === 0 && output.report.waiting.length > 0;
    if (pending?.fingerprint === fingerprint || onlyWaits) return unchanged;
    const withdrawn = pending ? await withdraw(tx, pending, output) : null;
    if (output.moves.length === 0 || (await wasDeclined(tx, deployment, fingerprint, now))) return { open: null, withdrawn };
    await insertProposed(tx, { id, deployment, mode, now, fingerprint }, input, output);
    return { open: mode === 'advise' ? { id, summary: output.report.summary } : null, withdrawn };
  });
}

function openOf(pending: ProposalRow | undefined): ProposedMoves['open'] {
  return pending && pending.state !== 'noted' ? { id: pending.id, summary: pending.summary } : null;
}

/** Has somebody decided it while the planner was at work? From here on nobody can. */
async function isDecided(tx: Transaction, pending: ProposalRow | undefined): Promise<boolean> {
  return pending !== undefined && (await lockProposal(tx, pending.id)).state !== pending.state;
}

async function withdraw(tx: Transaction, pending: ProposalRow, { moves, report }: PlanOutput): Promise<string | null> {
  const outcome = moves.length > 0 ? `the planner proposes something else: ${report.summary}` : 'the planner does not propose it any more';
  await settleProposal(tx, pending, { state: 'withdrawn', outcome });
  return pending.state === 'open' ? pending.id : null;
}

async function insertProposed(
  tx: Transaction,
  { id, deployment, mode, now, fingerprint }: { id: string; deployment: string; mode: 'shadow' | 'advise'; now: Date; fingerprint: string },
  { deployments, replicas }: PlanInput,
  { moves, report }: PlanOutput,
): Promise<void> {
  const leaving = new Set(moves.map(leavingOf));
  const generations = Object.fromEntries(replicas.filter((r) => leaving.has(r.id)).map((r) => [r.id, r.generation]));
  await savePlan(tx, { id, purpose: 'rebalance', subject: deployment, basedOn: await latestAppliedPlan(tx), moves, report }, 'dry-run');
  await insertProposal(tx, {
    ...{ id, deployment, kind: 'rebalance', state: mode === 'advise' ? 'open' : 'noted', planId: id, fingerprint },
    ...{ summary: report.summary, reasons: report.reasons },
    outlook: report.deployments?.find((d) => d.deployment === deployment) ?? null,
    basis: { revision: deployments[0]!.revision, generations },
    ...{ createdAt: now, expiresAt: expiryOf(now) },
  });
}

export function expiryOf(now: Date): Date {
  return new Date(now.getTime() + PROPOSAL_HOURS * 3_600_000);
}
