/** Rollouts, as `deployModel` reads and records them. */
import { and, eq, isNull, ne } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { deployments, revisions, rollouts } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { replicasOfRevision, routeCurrentAlone } from './replicas.ts';

export interface RolloutRecord {
  id: string;
  deployment: string;
  revision: number;
  fromRevision: number | null;
  spec: DeploymentSpec;
  status: RolloutStatus;
}

/** A rollout with the spec of its revision. @throws not-found */
export async function loadRollout(db: Executor, id: string): Promise<RolloutRecord> {
  const [row] = await db
    .select({ rollout: rollouts, spec: revisions.spec })
    .from(rollouts)
    .innerJoin(revisions, and(eq(revisions.deployment, rollouts.deployment), eq(revisions.number, rollouts.revision)))
    .where(eq(rollouts.id, id));
  if (!row) throw notFound('rollout', id);
  const { deployment, revision, fromRevision, status } = row.rollout;
  return { id, deployment, revision, fromRevision, spec: row.spec, status };
}

/** Writes where a rollout stands. One that has ended is never overwritten. */
export async function recordRolloutStatus(db: Database, id: string, status: RolloutStatus): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(rollouts)
      .set({ status })
      .where(and(eq(rollouts.id, id), isNull(rollouts.endedAt)));
    await notifyChange(tx, 'rollouts');
  });
}

/**
 * Ends a rollout; a success makes its revision the current one, in the same transaction. Ending twice changes nothing.
 * @returns after a success: ids of living replicas of other revisions. None comes to them, as no plan brings up what is not current.
 */
export async function endRollout(db: Database, id: string, status: RolloutStatus): Promise<string[]> {
  return db.transaction(async (tx) => {
    const [ended] = await tx
      .update(rollouts)
      .set({ status, endedAt: new Date() })
      .where(and(eq(rollouts.id, id), isNull(rollouts.endedAt)))
      .returning();
    if (ended && status.phase === 'succeeded') {
      await tx
        .update(deployments)
        .set({ currentRevision: ended.revision, updatedAt: new Date() })
        .where(eq(deployments.name, ended.deployment));
      await notifyChange(tx, 'deployments');
    }
    await notifyChange(tx, 'rollouts');
    return status.phase === 'succeeded' ? leftBehind(tx, id) : [];
  });
}

async function leftBehind(tx: Transaction, id: string): Promise<string[]> {
  const { deployment, revision } = rollouts;
  const [own] = await tx.select({ deployment, revision }).from(rollouts).where(eq(rollouts.id, id));
  if (!own) return [];
  const isRunning = and(eq(deployment, own.deployment), isNull(rollouts.endedAt), isNull(rollouts.queuedBehind));
  // Asked again later, it leaves alone what the next rollout brings up.
  if ((await tx.$count(rollouts, isRunning)) > 0) return [];
  return (await replicasOfRevision(tx, own.deployment, own.revision, 'others')).map((r) => r.id);
}

/** Whether a rollout's turn has come, or what it waits for. */
export type Turn = { turn: 'begin' } | { turn: 'wait'; behind: string; behindWorkflowId: string } | { turn: 'over'; status: RolloutStatus };

/**
 * Begins a rollout once the one that it waits for has ended: from then on it is the one that runs. Asking again changes nothing.
 * @throws not-found
 */
export async function takeTurn(db: Database, id: string): Promise<Turn> {
  return db.transaction(async (tx) => {
    const [own] = await tx.select().from(rollouts).where(eq(rollouts.id, id));
    if (!own) throw notFound('rollout', id);
    // Whoever starts a rollout holds the deployment too.
    const [deployment] = await tx.select().from(deployments).where(eq(deployments.name, own.deployment)).for('update');
    const [current] = await tx.select().from(rollouts).where(eq(rollouts.id, id));
    const { endedAt, queuedBehind, status } = current ?? own;
    if (endedAt) return { turn: 'over', status };
    if (queuedBehind === null) return { turn: 'begin' };
    const [before] = await tx.select().from(rollouts).where(eq(rollouts.id, queuedBehind));
    if (before && !before.endedAt) return { turn: 'wait', behind: before.id, behindWorkflowId: before.workflowId };
    await tx
      .update(rollouts)
      .set({ queuedBehind: null, fromRevision: deployment?.currentRevision ?? null })
      .where(eq(rollouts.id, id));
    await notifyChange(tx, 'rollouts');
    return { turn: 'begin' };
  });
}

/**
 * Ends a rollout that nobody carries out any more, so that it holds its deployment no longer: what serves of the current revision gets all
 * traffic back, and what the rollout had brought up leaves with the next rebalance. One that has ended stays as it is.
 */
export async function endOrphan(db: Database, id: string, reason: string): Promise<void> {
  await db.transaction(async (tx) => {
    const { deployment, status, endedAt } = rollouts;
    const [row] = await tx.select({ deployment, status, endedAt }).from(rollouts).where(eq(rollouts.id, id)).for('update');
    if (!row || row.endedAt) return;
    await endRollout(tx, id, { ...row.status, phase: 'failed', reason });
    await routeCurrentAlone(tx, row.deployment);
  });
}

/** Deployments that a rollout holds right now, except the given rollout's own. */
export async function deploymentsInRollout(db: Executor, exceptRolloutId = ''): Promise<Set<string>> {
  const rows = await db
    .select({ deployment: rollouts.deployment })
    .from(rollouts)
    .where(and(isNull(rollouts.endedAt), ne(rollouts.id, exceptRolloutId)));
  return new Set(rows.map((r) => r.deployment));
}
