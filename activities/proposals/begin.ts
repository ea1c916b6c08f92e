/** Carrying out an approved proposal begins with a second look: all of it is reserved, in one transaction, or nothing. */
import { UellmError } from '../../core/domain/errors.ts';
import type { PlanSummary } from '../../core/domain/plan.ts';
import { type ProposalState, whyOutdated } from '../../core/domain/proposal.ts';
import type { Refusal } from '../../core/domain/refusal.ts';
import type { Transaction } from '../../db/client.ts';
import { lockCorrection } from '../../db/queries/monitoring-corrections.ts';
import { type AppliedPlan, alreadyApplied, fittingMoves, loadPlan, lockPlanning, reserveMoves } from '../../db/queries/plans.ts';
import { lockProposal, type ProposalRow, presentBasis, readProposal, settleProposal } from '../../db/queries/proposals.ts';
import type { ControlDeps } from '../deps.ts';
import { prepareReshape } from '../monitoring/reshape.ts';
import { summarise } from '../planning.ts';

export type BegunProposal =
  | { step: 'moves'; plan: PlanSummary; applied: AppliedPlan }
  | { step: 'rollout'; rolloutId: string; correctionId: number }
  /** Not now: the disruption budget is used up, a host is silent. */
  | { step: 'wait'; reason: string }
  /** It is not, or not any more, to be carried out: its row says why. */
  | { step: 'over' };

/** What passes by itself: a budget that is used up, a host that was not heard of for a moment. */
const PASSING: readonly Refusal['on'][] = ['disruption-budget', 'hosts-lost'];

/** Asked again, it answers the same. */
export async function beginProposal(deps: ControlDeps, id: string): Promise<BegunProposal> {
  const { kind } = await readProposal(deps.db, id);
  return kind === 'reshape' ? beginReshape(deps, id) : deps.db.transaction((tx) => beginMoves(tx, deps, id));
}

async function beginMoves(tx: Transaction, deps: ControlDeps, id: string): Promise<BegunProposal> {
  await lockPlanning(tx);
  const row = await lockProposal(tx, id);
  if (row.state !== 'approved') return { step: 'over' };
  const plan = await loadPlan(tx, row.planId!);
  if (plan.appliedAt) return { step: 'moves', plan: summarise(plan), applied: await alreadyApplied(tx, plan) };
  const why = whyOutdated(row.basis, await presentBasis(tx, row.deployment, plan));
  if (why) return settled(tx, row, 'outdated', why);
  const fitting = await fittingMoves(tx, plan, deps.maxMoving);
  const gone = fitting.trimmed.find(({ on }) => !PASSING.includes(on));
  if (gone) return settled(tx, row, 'outdated', gone.message);
  const [busy] = fitting.trimmed;
  if (busy) return waitOrExpire(tx, row, busy.message, deps.now());
  return { step: 'moves', plan: summarise(plan), applied: await reserveMoves(tx, plan, fitting) };
}

async function beginReshape(deps: ControlDeps, id: string): Promise<BegunProposal> {
  const { db } = deps;
  const row = await readProposal(db, id);
  if (row.state !== 'approved') return { step: 'over' };
  const correctionId = row.correctionId!;
  const why = await db.transaction(async (tx) => {
    const { change } = await lockCorrection(tx, correctionId);
    const isBegun = change.kind === 'reshape-engine' && change.rolloutId !== null;
    // A rollout that runs is waited for, and then the revision tells.
    return isBegun ? null : whyOutdated(row.basis, { ...(await presentBasis(tx, row.deployment, null)), rollout: null });
  });
  if (why) return db.transaction((tx) => settled(tx, row, 'outdated', why));
  try {
    return { step: 'rollout', rolloutId: await prepareReshape(db, correctionId), correctionId };
  } catch (error) {
    if (!(error instanceof UellmError)) throw error;
    const { detail, message } = error;
    return db.transaction((tx) =>
      detail.kind === 'unavailable' ? waitOrExpire(tx, row, message, deps.now()) : settled(tx, row, 'failed', message),
    );
  }
}

async function waitOrExpire(tx: Transaction, row: ProposalRow, reason: string, nowMs: number): Promise<BegunProposal> {
  if (nowMs < row.expiresAt.getTime()) return { step: 'wait', reason };
  return settled(tx, row, 'expired', `approved, and could not begin in time: ${reason}`);
}

async function settled(tx: Transaction, row: ProposalRow, state: ProposalState, outcome: string): Promise<BegunProposal> {
  await settleProposal(tx, row, { state, outcome });
  return { step: 'over' };
}
