/** Revisions: what each rollout rolls out. */
import { and, eq } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { Executor } from '../client.ts';
import { revisions } from '../schema/index.ts';

/** @throws not-found */
export async function revisionSpec(db: Executor, deployment: string, revision: number): Promise<DeploymentSpec> {
  const [row] = await db
    .select({ spec: revisions.spec })
    .from(revisions)
    .where(and(eq(revisions.deployment, deployment), eq(revisions.number, revision)));
  if (!row) throw notFound('revision', `${deployment} r${revision}`);
  return row.spec;
}
