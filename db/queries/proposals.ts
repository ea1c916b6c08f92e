/** Proposals: written by planning and monitoring, decided by operators, carried out by their workflow. */
import { aliasedTable, and, asc, desc, eq, exists, gt, gte, inArray, lt, not, or, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import type { Move } from '../../core/domain/plan.ts';
import { PENDING_STATES, type PresentBasis, type ProposalState } from '../../core/domain/proposal.ts';
import type { Executor, Transaction } from '../client.ts';
import { deployments, plans, proposals, rollouts } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { modeOf } from './modes.ts';
import { updateCorrection } from './monitoring-corrections.ts';
import { filteredBy, type Page, type PageRequest, toPage } from './page.ts';
import { changedSince, type PlanRow } from './plans.ts';
import { livingReplicas } from './replicas.ts';

export type ProposalRow = typeof proposals.$inferSelect;

const UNDECIDED: ProposalState[] = ['noted', 'open'];

/** Inserting the same id again changes nothing. */
export async function insertProposal(tx: Executor, proposal: typeof proposals.$inferInsert): Promise<void> {
  await tx.insert(proposals).values(proposal).onConflictDoNothing();
  await notifyChange(tx, 'proposals');
}

/** Holds the row until the transaction ends. @throws not-found */
export async function lockProposal(tx: Executor, id: string): Promise<ProposalRow> {
  const [row] = await tx.select().from(proposals).where(eq(proposals.id, id)).for('update');
  if (!row) throw notFound('proposal', id);
  return row;
}

/** Of a deployment's proposals to move replicas, the one that nothing has become of yet. */
export async function pendingMoves(tx: Executor, deployment: string): Promise<ProposalRow | undefined> {
  const [row] = await tx
    .select()
    .from(proposals)
    .where(and(eq(proposals.deployment, deployment), eq(proposals.kind, 'rebalance'), inArray(proposals.state, PENDING_STATES)))
    .orderBy(desc(proposals.createdAt))
    .limit(1);
  return row;
}

/** Has an operator declined just this, and is the time for which that counts not over? */
export async function wasDeclined(tx: Executor, deployment: string, fingerprint: string, now: Date): Promise<boolean> {
  const isIt = and(eq(proposals.deployment, deployment), eq(proposals.fingerprint, fingerprint), eq(proposals.state, 'declined'));
  return (await tx.$count(proposals, and(isIt, gt(proposals.expiresAt, now)))) > 0;
}

/** By deployment, the newest plan that an operator declined and that is therefore not proposed again yet, where no other waits. */
export async function standingDeclines(db: Executor, now: Date): Promise<ProposalRow[]> {
  const other = aliasedTable(proposals, 'other');
  const isSuperseded = db
    .select({ one: sql`1` })
    .from(other)
    .where(and(eq(other.deployment, proposals.deployment), eq(other.kind, 'rebalance'), inArray(other.state, PENDING_STATES)));
  return db
    .selectDistinctOn([proposals.deployment])
    .from(proposals)
    .where(and(eq(proposals.kind, 'rebalance'), eq(proposals.state, 'declined'), gt(proposals.expiresAt, now), not(exists(isSuperseded))))
    .orderBy(proposals.deployment, desc(proposals.createdAt));
}

export async function proposalOfCorrection(tx: Executor, correctionId: number): Promise<ProposalRow | undefined> {
  const [row] = await tx.select().from(proposals).where(eq(proposals.correctionId, correctionId));
  return row;
}

/** An operator has decided, or something has become of it. A correction that it was to carry out is given up with it. */
export async function settleProposal(
  tx: Executor,
  { id, correctionId }: Pick<ProposalRow, 'id' | 'correctionId'>,
  set: { state: ProposalState; outcome: string; decidedBy?: string; decidedAt?: Date },
): Promise<void> {
  await tx.update(proposals).set(set).where(eq(proposals.id, id));
  await notifyChange(tx, 'proposals');
  const isGivenUp = set.state !== 'approved' && set.state !== 'done';
  if (correctionId !== null && isGivenUp)
    await updateCorrection(tx, correctionId, { state: 'failed', undoReason: `${set.state}: ${set.outcome}` });
}

/** Nobody can approve any more what nobody has decided in time. */
export async function expireProposals(tx: Executor, now: Date): Promise<void> {
  const expired = await tx
    .select({ id: proposals.id, correctionId: proposals.correctionId })
    .from(proposals)
    .where(and(inArray(proposals.state, UNDECIDED), lt(proposals.expiresAt, now)))
    .orderBy(proposals.id)
    .for('update');
  for (const proposal of expired) await settleProposal(tx, proposal, { state: 'expired', outcome: 'nobody decided in time' });
}

/** Those of a deployment that nobody has decided go. @returns the ids of those that were open */
export async function withdrawProposals(tx: Executor, deployment: string, outcome: string): Promise<string[]> {
  const undecided = await tx
    .select({ id: proposals.id, state: proposals.state, correctionId: proposals.correctionId })
    .from(proposals)
    .where(and(eq(proposals.deployment, deployment), inArray(proposals.state, UNDECIDED)))
    .orderBy(proposals.id)
    .for('update');
  for (const proposal of undecided) await settleProposal(tx, proposal, { state: 'withdrawn', outcome });
  return undecided.filter(({ state }) => state === 'open').map(({ id }) => id);
}

/** What a proposal is held against when it is to be carried out. The caller holds the planning lock. */
export async function presentBasis(tx: Transaction, deployment: string, plan: PlanRow | null): Promise<PresentBasis> {
  const [row] = await tx.select({ revision: deployments.currentRevision }).from(deployments).where(eq(deployments.name, deployment));
  const [rollout] = await tx
    .select({ id: rollouts.id })
    .from(rollouts)
    .where(and(eq(rollouts.deployment, deployment), sql`${rollouts.endedAt} is null`))
    .orderBy(asc(rollouts.id));
  const living = (await livingReplicas(tx)).filter((r) => r.deployment === deployment);
  return {
    // One that was deleted meanwhile has no revision that serves.
    mode: (await modeOf(tx, deployment)) ?? 'auto',
    revision: row?.revision ?? null,
    generations: Object.fromEntries(living.map(({ id, generation }) => [id, generation])),
    rollout: rollout?.id ?? null,
    movedSince: plan !== null && (await changedSince(tx, plan)).has(deployment),
  };
}

/** A proposal with the moves of its plan. */
export type ProposalView = ProposalRow & { moves: Move[] };

const viewed = (db: Executor) =>
  db.select({ proposal: proposals, moves: plans.moves }).from(proposals).leftJoin(plans, eq(plans.id, proposals.planId)).$dynamic();
const toView = ({ proposal, moves }: { proposal: ProposalRow; moves: Move[] | null }): ProposalView => ({
  ...proposal,
  moves: moves ?? [],
});

/** Newest first. */
export async function listProposals(
  db: Executor,
  page: PageRequest,
  where: { deployment?: string | undefined; state?: ProposalState | undefined } = {},
): Promise<Page<ProposalView>> {
  const rows = await viewed(db)
    .where(
      and(
        filteredBy(proposals.deployment, where.deployment),
        filteredBy(proposals.state, where.state),
        page.after === undefined
          ? undefined
          : sql`(${proposals.createdAt}, ${proposals.id}) < (select p.created_at, p.id from ${proposals} p where p.id = ${page.after})`,
      ),
    )
    .orderBy(desc(proposals.createdAt), desc(proposals.id))
    .limit(page.limit + 1);
  return toPage(rows.map(toView), page, (row) => row.id);
}

/** @throws not-found */
export async function readProposal(db: Executor, id: string): Promise<ProposalView> {
  const [row] = await viewed(db).where(eq(proposals.id, id));
  if (!row) throw notFound('proposal', id);
  return toView(row);
}

/**
 * Those of a deployment that are pending, or were made or decided since, or were declined and are therefore not made again yet; newest first.
 */
export async function proposalsSince(
  db: Executor,
  { deployment, since, now, most }: { deployment: string; since: Date; now: Date; most: number },
): Promise<ProposalView[]> {
  const isStanding = and(eq(proposals.state, 'declined'), gt(proposals.expiresAt, now));
  const isRecent = or(
    inArray(proposals.state, PENDING_STATES),
    isStanding,
    gte(proposals.createdAt, since),
    gte(proposals.decidedAt, since),
  );
  const rows = await viewed(db)
    .where(and(eq(proposals.deployment, deployment), isRecent))
    .orderBy(desc(proposals.createdAt), desc(proposals.id))
    .limit(most);
  return rows.map(toView);
}
