/** Replicas: their states, and what routing learns of each change in the transaction that makes it. */
import { and, asc, eq, inArray, isNotNull, isNull, lt, ne, notExists, type SQL, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import { FULL_WEIGHT, type Replica, type ReplicaState } from '../../core/domain/replica.ts';
import type { ChatTemplate } from '../../core/domain/routing.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { acceleratorClaims, deployments, replicas } from '../schema/index.ts';
import { recordAudit } from './audit.ts';
import { notifyChange } from './changes.ts';
import { bumpRoutingVersion, currentRoutingVersion } from './routing.ts';

export type ReplicaRow = typeof replicas.$inferSelect;

/** Replicas that have not ended, in the order of their ids. */
export async function livingReplicas(db: Executor): Promise<Replica[]> {
  return db.select().from(replicas).where(isNull(replicas.endedAt)).orderBy(asc(replicas.id));
}

/** @throws not-found */
export async function loadReplica(db: Executor, id: string): Promise<ReplicaRow> {
  const [row] = await db.select().from(replicas).where(eq(replicas.id, id));
  if (!row) throw notFound('replica', id);
  return row;
}

export async function replicasOn(db: Executor, host: string): Promise<ReplicaRow[]> {
  return db
    .select()
    .from(replicas)
    .where(and(eq(replicas.host, host), isNull(replicas.endedAt)))
    .orderBy(asc(replicas.id));
}

/** Living replicas of a deployment: those of `revision`, or with `others` those of every other revision. */
export async function replicasOfRevision(
  db: Executor,
  deployment: string,
  revision: number,
  which: 'this' | 'others',
): Promise<ReplicaRow[]> {
  return db
    .select()
    .from(replicas)
    .where(
      and(
        eq(replicas.deployment, deployment),
        isNull(replicas.endedAt),
        which === 'this' ? eq(replicas.revision, revision) : ne(replicas.revision, revision),
      ),
    )
    .orderBy(asc(replicas.id));
}

/** Living replicas of a deployment that was deleted. Those of one that was declared again by its name are younger than that. */
export async function replicasOfDeleted(db: Executor, deployment: string): Promise<ReplicaRow[]> {
  const itself = db
    .select({ name: deployments.name })
    .from(deployments)
    .where(and(eq(deployments.name, deployment), lt(deployments.createdAt, replicas.createdAt)));
  return db
    .select()
    .from(replicas)
    .where(and(eq(replicas.deployment, deployment), isNull(replicas.endedAt), notExists(itself)))
    .orderBy(asc(replicas.id));
}

/** A step towards serving; a replica that has ended stays as it is. */
export async function setReplicaState(db: Database, id: string, state: ReplicaState, reason: string): Promise<void> {
  await change(db, id, { state, reason });
}

/** The start of another engine for the same replica: its next generation. Nothing is routed to it until it is published again. */
export async function beginGeneration(db: Database, id: string, generation: number, reason: string): Promise<void> {
  await db.transaction(async (tx) => {
    const updated = await tx
      .update(replicas)
      .set({ generation, state: 'starting', endpoint: null, reason, updatedAt: new Date() })
      .where(and(eq(replicas.id, id), isNull(replicas.endedAt), sql`${replicas.generation} <= ${generation}`))
      .returning({ id: replicas.id });
    if (updated.length === 0) return;
    await announce(tx);
  });
}

export interface PublishedReplica {
  generation: number;
  endpoint: string;
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  maxInFlight: number;
  /** null where the engine needs none, or the model has none. */
  chat: ChatTemplate | null;
}

/** What is known of a replica once it serves; it is not routed before it is `ready`. */
export async function recordServing(db: Database, id: string, published: PublishedReplica): Promise<void> {
  await change(db, id, { ...published, state: 'warming', reason: 'calibrated, waiting for traffic' });
}

export interface ReloadedReplica extends Omit<PublishedReplica, 'endpoint' | 'chat'> {
  revision: number;
  model: string;
  /** null where it has yet to be started. */
  engine: Pick<PublishedReplica, 'endpoint' | 'chat'> | null;
}

/**
 * Another revision in the same replica, as a later generation: gateways that routed to it go on doing so, unless its engine has yet to start.
 * Recording it again changes nothing.
 * @returns false where the replica is leaving or has ended, or is of a later generation
 */
export async function recordReloaded(db: Database, id: string, reloaded: ReloadedReplica, reason: string): Promise<boolean> {
  const { engine, stepTime, ...served } = reloaded;
  return db.transaction(async (tx) => {
    const [row] = await tx
      .select()
      .from(replicas)
      .where(
        and(
          ...[eq(replicas.id, id), isNull(replicas.endedAt), ne(replicas.state, 'draining')],
          sql`${replicas.generation} <= ${reloaded.generation}`,
        ),
      )
      .for('update');
    if (!row) return false;
    await tx
      .update(replicas)
      .set({
        ...served,
        // What was measured of the model on these accelerators still holds.
        ...(row.model !== served.model && { stepTime }),
        // It was silent, or being started again, until it was found to serve.
        ...(engine ? { ...engine, state: 'ready' as const } : { endpoint: null, state: 'starting' as const }),
        ...{ reason, updatedAt: new Date() },
      })
      .where(eq(replicas.id, id));
    await announce(tx);
    return true;
  });
}

/** Routes to a replica, with a share of its deployment's traffic. */
export async function routeReplica(db: Database, id: string, weight: number, reason: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(replicas)
      .set({ state: 'ready', weight, reason, updatedAt: new Date() })
      .where(and(eq(replicas.id, id), isNull(replicas.endedAt), inArray(replicas.state, ['warming', 'ready', 'unroutable', 'starting'])));
    await announce(tx);
  });
}

/** Routes to a replica whose engine runs again, as it was routed before. */
export async function rerouteReplica(db: Database, id: string, generation: number, endpoint: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(replicas)
      .set({ state: 'ready', endpoint, reason: 'its engine was started again', updatedAt: new Date() })
      .where(and(eq(replicas.id, id), eq(replicas.generation, generation), eq(replicas.state, 'starting')));
    await announce(tx);
  });
}

/** All traffic of a deployment to its current revision, where that serves: others stay, with nothing. */
export async function routeCurrentAlone(tx: Transaction, deployment: string): Promise<void> {
  const [row] = await tx.select({ current: deployments.currentRevision }).from(deployments).where(eq(deployments.name, deployment));
  if (!row || row.current === null) return;
  const ready = and(eq(replicas.deployment, deployment), eq(replicas.state, 'ready'));
  const reason = `revision ${row.current} is the current one`;
  const route = (weight: number, which: SQL) =>
    tx.update(replicas).set({ weight, reason, updatedAt: new Date() }).where(and(ready, which)).returning({ id: replicas.id });
  const serving = await route(FULL_WEIGHT, eq(replicas.revision, row.current));
  if (serving.length === 0) return;
  await route(0, ne(replicas.revision, row.current));
  await announce(tx);
}

/**
 * Takes a replica out of routing; doing it again changes nothing, and gives the same answer unless the routing has changed meanwhile.
 * @returns the routing version that says so, and since when it is unrouted
 */
export async function unrouteReplica(db: Database, id: string, reason: string): Promise<{ routingVersion: number; since: Date }> {
  return db.transaction(async (tx) => {
    const [changed] = await tx
      .update(replicas)
      .set({ state: 'draining', weight: 0, weightBefore: replicas.weight, reason, updatedAt: sql`clock_timestamp()` })
      .where(and(eq(replicas.id, id), isNull(replicas.endedAt), ne(replicas.state, 'draining')))
      .returning({ since: replicas.updatedAt });
    if (changed) return { routingVersion: await announce(tx), since: changed.since };
    return { routingVersion: await currentRoutingVersion(tx), since: (await loadReplica(tx, id)).updatedAt };
  });
}

/** Routes to a replica again as before it was unrouted: it stays after all. One that never served, or has ended, is left as it is. */
export async function routeAsBefore(db: Database, id: string, reason: string): Promise<void> {
  await db.transaction(async (tx) => {
    const changed = await tx
      .update(replicas)
      .set({ state: 'ready', weight: replicas.weightBefore, weightBefore: null, reason, updatedAt: new Date() })
      .where(
        and(
          ...[eq(replicas.id, id), eq(replicas.state, 'draining'), isNull(replicas.endedAt)],
          ...[isNotNull(replicas.weightBefore), isNotNull(replicas.endpoint), isNotNull(replicas.stepTime)],
        ),
      )
      .returning({ id: replicas.id });
    if (changed.length > 0) await announce(tx);
  });
}

/** Ends a replica and frees its accelerators. Ending twice changes nothing. */
export async function endReplica(db: Database, id: string, state: 'stopped' | 'failed', reason: string): Promise<void> {
  await db.transaction((tx) => endReplicaIn(tx, id, state, reason));
}

export async function endReplicaIn(tx: Transaction, id: string, state: 'stopped' | 'failed', reason: string): Promise<void> {
  const ended = await tx
    .update(replicas)
    .set({ state, reason, weight: 0, endpoint: null, endedAt: new Date(), updatedAt: new Date() })
    .where(and(eq(replicas.id, id), isNull(replicas.endedAt)))
    .returning({ deployment: replicas.deployment, host: replicas.host, accelerators: replicas.accelerators });
  await tx.delete(acceleratorClaims).where(eq(acceleratorClaims.replicaId, id));
  const [place] = ended;
  if (!place) return;
  await announce(tx);
  // Nobody ordered that: it is told where people look for what happened.
  if (state === 'failed')
    await recordAudit(tx, { actor: 'control', action: 'failed', kind: 'replicas', name: id, after: { ...place, reason } });
}

async function change(db: Database, id: string, set: Partial<typeof replicas.$inferInsert>): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(replicas)
      .set({ ...set, updatedAt: new Date() })
      .where(and(eq(replicas.id, id), isNull(replicas.endedAt)));
    await notifyChange(tx, 'replicas');
  });
}

async function announce(tx: Transaction): Promise<number> {
  await notifyChange(tx, 'replicas');
  return bumpRoutingVersion(tx);
}
