/** Rollouts, as `deployModel` reads and records them. */
import { and, eq, isNull, ne } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import type { Database, Executor } from '../client.ts';
import { deployments, revisions, rollouts } from '../schema/index.ts';
import { notifyChange } from './changes.ts';

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

/** Ends a rollout; a success makes its revision the current one, in the same transaction. Ending twice changes nothing. */
export async function endRollout(db: Database, id: string, status: RolloutStatus): Promise<void> {
  await db.transaction(async (tx) => {
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
