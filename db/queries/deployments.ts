/** Deployments as wanted, their revisions, and the rows that a rollout begins with. What `deployModel` records is in `rollouts.ts`. */
import { and, asc, desc, eq, isNull, sql } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import type { Executor } from '../client.ts';
import { deployments, replicas, revisions, rollouts } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { filteredBy, namesOf, type Page, type PageRequest, toPage } from './page.ts';

export type DeploymentRow = typeof deployments.$inferSelect;

export interface DeploymentProgress {
  /** Replicas that serve. */
  ready: number;
  /** Replicas that have not ended. */
  living: number;
  /** The newest rollout, running or ended. */
  rollout: { id: string; revision: number; status: RolloutStatus } | null;
  /** What the newest revision holds; null before the first. */
  rolledOut: DeploymentSpec | null;
}

const living = (condition: string) =>
  sql<number>`(select count(*) from ${replicas} r where r.deployment = "deployments"."name" and r.ended_at is null ${sql.raw(condition)})::int`;

const selection = {
  deployment: deployments,
  ready: living("and r.state = 'ready'"),
  living: living(''),
  rollout: sql<DeploymentProgress['rollout']>`(select json_build_object('id', r.id, 'revision', r.revision, 'status', r.status)
    from ${rollouts} r where r.deployment = "deployments"."name" order by r.started_at desc, r.id desc limit 1)`,
  rolledOut: sql<DeploymentSpec | null>`(select v.spec
    from ${revisions} v where v.deployment = "deployments"."name" and v.number = "deployments"."latest_revision")`,
};

/** @param model whose; undefined for all */
export async function listDeployments(db: Executor, page: PageRequest, model?: string): Promise<Page<DeploymentRow & DeploymentProgress>> {
  const rows = await db
    .select(selection)
    .from(deployments)
    .where(and(namesOf(page, deployments.name), filteredBy(sql`${deployments.spec}->>'model'`, model)))
    .orderBy(asc(deployments.name))
    .limit(page.limit + 1);
  return toPage(
    rows.map(({ deployment, ...progress }) => ({ ...deployment, ...progress })),
    page,
    (row) => row.name,
  );
}

/** @throws not-found */
export async function readDeployment(db: Executor, name: string): Promise<DeploymentRow & DeploymentProgress> {
  const [row] = await db.select(selection).from(deployments).where(eq(deployments.name, name));
  if (!row) throw notFound('deployment', name);
  const { deployment, ...progress } = row;
  return { ...deployment, ...progress };
}

/** Holds the row against any change until the transaction ends. @throws not-found */
export async function lockDeployment(tx: Executor, name: string): Promise<DeploymentRow> {
  const [row] = await tx.select().from(deployments).where(eq(deployments.name, name)).for('update');
  if (!row) throw notFound('deployment', name);
  return row;
}

/** @throws already-exists */
export async function insertDeployment(tx: Executor, spec: DeploymentSpec): Promise<void> {
  const inserted = await tx
    .insert(deployments)
    .values({ name: spec.name, spec })
    .onConflictDoNothing()
    .returning({ name: deployments.name });
  if (inserted.length === 0) throw new UellmError({ kind: 'already-exists', what: 'deployment', name: spec.name });
  await notifyChange(tx, 'deployments');
}

export async function updateDeployment(tx: Executor, spec: DeploymentSpec): Promise<void> {
  const isSameMode = sql`${deployments.spec}->>'mode' is not distinct from ${spec.mode ?? 'auto'}::text`;
  await tx
    .update(deployments)
    .set({
      ...{ spec, version: sql`${deployments.version} + 1`, updatedAt: new Date() },
      modeSince: sql`case when ${isSameMode} then ${deployments.modeSince} else now() end`,
    })
    .where(eq(deployments.name, spec.name));
  await notifyChange(tx, 'deployments');
}

/** Its revisions and rollouts stay: they are history, and numbers are not given twice. */
export async function deleteDeployment(tx: Executor, name: string): Promise<void> {
  await tx.delete(deployments).where(eq(deployments.name, name));
  await notifyChange(tx, 'deployments');
}

/** Ids of the replicas of a deployment that have not ended. */
export async function livingReplicasOf(db: Executor, deployment: string): Promise<string[]> {
  const rows = await db
    .select({ id: replicas.id })
    .from(replicas)
    .where(and(eq(replicas.deployment, deployment), isNull(replicas.endedAt)))
    .orderBy(asc(replicas.id));
  return rows.map((row) => row.id);
}

/** Numbers of a deployment's revisions, newest first. */
export async function revisionNumbers(db: Executor, deployment: string): Promise<number[]> {
  const rows = await db
    .select({ number: revisions.number })
    .from(revisions)
    .where(eq(revisions.deployment, deployment))
    .orderBy(desc(revisions.number));
  return rows.map((row) => row.number);
}

/** Makes the next revision of a deployment whose row the caller holds. Returns its number. */
export async function insertRevision(tx: Executor, deployment: string, spec: DeploymentSpec): Promise<number> {
  const number = ((await revisionNumbers(tx, deployment))[0] ?? 0) + 1;
  await tx.insert(revisions).values({ deployment, number, spec });
  await tx.update(deployments).set({ latestRevision: number, updatedAt: new Date() }).where(eq(deployments.name, deployment));
  return number;
}

/** The rollout that holds a deployment right now; where several do, the one that runs. */
export async function runningRollout(db: Executor, deployment: string): Promise<string | null> {
  return (await openRollouts(db, deployment))[0]?.id ?? null;
}

export interface OpenRollout {
  id: string;
  revision: number;
  status: RolloutStatus;
  /** The rollout that it waits for; null for the one that runs. */
  queuedBehind: string | null;
  spec: DeploymentSpec;
}

/** The rollout that runs, and the one that waits for it to end, if any. */
export async function openRollouts(db: Executor, deployment: string): Promise<OpenRollout[]> {
  return db
    .select({
      ...{ id: rollouts.id, revision: rollouts.revision, status: rollouts.status, queuedBehind: rollouts.queuedBehind },
      spec: revisions.spec,
    })
    .from(rollouts)
    .innerJoin(revisions, and(eq(revisions.deployment, rollouts.deployment), eq(revisions.number, rollouts.revision)))
    .where(and(eq(rollouts.deployment, deployment), isNull(rollouts.endedAt)))
    .orderBy(sql`${rollouts.queuedBehind} nulls first`);
}

/** An id that no rollout has: `<deployment>-r<revision>`, with `-<n>` behind it where the revision was rolled out before. */
async function nextRolloutId(db: Executor, deployment: string, revision: number): Promise<string> {
  const base = `${deployment}-r${revision}`;
  const rows = await db
    .select({ id: rollouts.id })
    .from(rollouts)
    .where(and(eq(rollouts.deployment, deployment), eq(rollouts.revision, revision)));
  const taken = new Set(rows.map((row) => row.id));
  if (!taken.has(base)) return base;
  let n = 2;
  while (taken.has(`${base}-${n}`)) n++;
  return `${base}-${n}`;
}

/** What a rollout is at before its workflow has begun. */
const ACCEPTED: RolloutStatus = { phase: 'running', stage: 'resolve', reason: 'accepted', stages: [], planId: null };

/** The same of one that waits for another to end. */
export function acceptedBehind(behind: string | null): RolloutStatus {
  return behind === null ? ACCEPTED : { ...ACCEPTED, reason: `waits until rollout ${behind} has ended` };
}

/**
 * Records the rollout of a revision of a deployment whose row the caller holds. Its workflow is the caller's to start.
 * @param behind the rollout that has to end first
 * @returns its id
 */
export async function insertRollout(
  tx: Executor,
  { name, currentRevision }: DeploymentRow,
  revision: number,
  workflowIdOf: (rolloutId: string) => string,
  behind: string | null = null,
): Promise<string> {
  const id = await nextRolloutId(tx, name, revision);
  await tx.insert(rollouts).values({
    ...{ id, deployment: name, revision, fromRevision: currentRevision, workflowId: workflowIdOf(id), queuedBehind: behind },
    status: acceptedBehind(behind),
  });
  await notifyChange(tx, 'rollouts');
  await notifyChange(tx, 'deployments');
  return id;
}
