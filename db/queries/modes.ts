/** Deployments that are not left to uellm alone: their modes. */
import { asc, eq, sql } from 'drizzle-orm';
import type { DeploymentMode } from '../../core/domain/deployment.ts';
import type { Executor, Transaction } from '../client.ts';
import { deployments, replicas } from '../schema/index.ts';

/** What rebalancing and monitoring say of what they leave as it is. */
export const SKIPPED_IN_SHADOW = 'skipped: the deployment is in shadow mode';

const mode = sql<DeploymentMode>`coalesce(${deployments.spec}->>'mode', 'auto')`;

export interface WatchedDeployment {
  name: string;
  mode: 'shadow' | 'advise';
}

/** Those in `shadow` or `advise` mode, by name. */
export async function watchedDeployments(db: Executor): Promise<WatchedDeployment[]> {
  const rows = await db
    .select({ name: deployments.name, mode })
    .from(deployments)
    .where(sql`${mode} <> 'auto'`)
    .orderBy(asc(deployments.name));
  return rows as WatchedDeployment[];
}

export async function shadowedDeployments(db: Executor): Promise<string[]> {
  const rows = await db.select({ name: deployments.name }).from(deployments).where(sql`${mode} = 'shadow'`);
  return rows.map((row) => row.name);
}

/** null of one that is not declared, or not any more. */
export async function modeOf(db: Executor, deployment: string): Promise<DeploymentMode | null> {
  const [row] = await db.select({ mode }).from(deployments).where(eq(deployments.name, deployment));
  return row?.mode ?? null;
}

/** The same, and it stays so until the transaction ends. */
export async function heldMode(tx: Transaction, deployment: string): Promise<DeploymentMode | null> {
  const [row] = await tx.select({ mode }).from(deployments).where(eq(deployments.name, deployment)).for('share');
  return row?.mode ?? null;
}

export async function modeOfReplica(db: Executor, replicaId: string): Promise<DeploymentMode | null> {
  const [row] = await db.select({ deployment: replicas.deployment }).from(replicas).where(eq(replicas.id, replicaId));
  return row ? modeOf(db, row.deployment) : null;
}

/** Are all deployments of a model in shadow mode? Not where there is none. */
export async function modelIsInShadow(db: Executor, model: string): Promise<boolean> {
  const rows = await db.select({ mode }).from(deployments).where(sql`${deployments.spec}->>'model' = ${model}`);
  return rows.length > 0 && rows.every((row) => row.mode === 'shadow');
}
