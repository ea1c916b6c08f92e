/** Plans: saved once, applied once. The applier verifies a plan again against the present, in one transaction, and trims what no longer fits. */
import { and, desc, eq, gt, inArray, isNull, ne, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import { expandAccelerators, type HostState } from '../../core/domain/fleet.ts';
import { compareInventory } from '../../core/domain/inventory.ts';
import type { Move, PlaceMove, Plan, PlanPurpose } from '../../core/domain/plan.ts';
import type { Refusal } from '../../core/domain/refusal.ts';
import { DEFAULT_MAX_MOVING, holdToBudget, isDisruption, leavingOf, moveIdOf } from '../../core/placement/budget.ts';
import { checkMoves } from '../../core/placement/check.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { acceleratorClaims, deployments, hosts, plans, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { endReplica, livingReplicas } from './replicas.ts';

/** Whoever plans or applies holds this advisory lock: demands that arrive together see each other's plans. */
const PLAN_LOCK = 0x706c_616e; // 'plan'

export async function lockPlanning(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${PLAN_LOCK})`);
}

export type PlanRow = typeof plans.$inferSelect;

/** Saves a plan; saving the same id again changes nothing. */
export async function savePlan(db: Executor, plan: Plan, state: 'proposed' | 'refused' | 'dry-run'): Promise<void> {
  const { id, purpose, subject, basedOn, moves, report } = plan;
  // By the clock, not by the transaction's beginning: what was applied while this one waited for the lock is known to it.
  const createdAt = sql`clock_timestamp()`;
  await db.insert(plans).values({ id, purpose, subject, basedOn, moves, report, state, createdAt }).onConflictDoNothing();
  await notifyChange(db, 'plans');
}

export async function loadPlan(db: Executor, id: string): Promise<typeof plans.$inferSelect> {
  const [row] = await db.select().from(plans).where(eq(plans.id, id));
  if (!row) throw notFound('plan', id);
  return row;
}

/** The newest plan of this purpose for this subject. */
export async function newestPlanOf(db: Executor, purpose: PlanPurpose, subject: string): Promise<PlanRow | undefined> {
  const [row] = await db
    .select()
    .from(plans)
    .where(and(eq(plans.purpose, purpose), eq(plans.subject, subject)))
    .orderBy(desc(plans.createdAt), desc(plans.id))
    .limit(1);
  return row;
}

/** What is proposed is applied at once, with a hundred rollouts before it in tens of seconds, or never: whoever was to do it is gone. */
const PROPOSED_FOR_SECONDS = 60;

/** Accelerators that plans for other subjects are about to reserve: two demands that are planned one after the other do not choose the same. */
export async function proposedPlaces(db: Executor, exceptSubject: string): Promise<Pick<PlaceMove, 'host' | 'accelerators'>[]> {
  const recent = sql`clock_timestamp() - make_interval(secs => ${PROPOSED_FOR_SECONDS})`;
  const rows = await db
    .select({ moves: plans.moves })
    .from(plans)
    .where(and(eq(plans.state, 'proposed'), ne(plans.subject, exceptSubject), gt(plans.createdAt, recent)));
  return rows.flatMap(({ moves }) => moves.filter((m) => m.kind === 'place'));
}

/** The id of the newest plan that was applied, whole or in part. */
export async function latestAppliedPlan(db: Executor): Promise<string | null> {
  const { rows } = await db.execute<{ id: string }>(
    sql`select id from ${plans} where state in ('applied', 'trimmed') order by created_at desc, id desc limit 1`,
  );
  return rows[0]?.id ?? null;
}

export interface AppliedPlan {
  /** Ids of the replicas that now hold their accelerators. */
  reserved: string[];
  retiring: string[];
  trimmed: Refusal[];
}

/**
 * Reserves what a plan places: replica rows and accelerator claims, all that still fits, in one transaction. Applying a plan twice
 * gives the same answer. The claims' primary key is the last word: two replicas never hold one accelerator. What disrupts is held to the
 * budget of the whole cluster, and marked as moving until `endMoves`.
 */
export async function applyPlan(db: Database, planId: string, maxMoving = DEFAULT_MAX_MOVING): Promise<AppliedPlan> {
  return db.transaction(async (tx) => {
    await lockPlanning(tx);
    const plan = await loadPlan(tx, planId);
    if (plan.state !== 'proposed') return alreadyApplied(tx, plan);
    return reserveMoves(tx, plan, await fittingMoves(tx, plan, maxMoving));
  });
}

export interface FittingMoves {
  kept: Move[];
  /** What no longer holds, and what the budget has no room for now. */
  trimmed: Refusal[];
}

/** What of a plan may be done now. The caller holds the planning lock. */
export async function fittingMoves(tx: Transaction, plan: PlanRow, maxMoving = DEFAULT_MAX_MOVING): Promise<FittingMoves> {
  const disrupts = isDisruption(plan.purpose);
  const currentRevisions = disrupts ? await holdRevisions(tx, plan) : undefined;
  const present = { hosts: await hostStates(tx), replicas: await livingReplicas(tx), currentRevisions };
  const fitting = checkMoves(plan.moves, present);
  const { kept, trimmed } = disrupts
    ? holdToBudget(fitting.kept, present.replicas, { maxMoving, changed: await changedSince(tx, plan) })
    : { kept: fitting.kept, trimmed: [] };
  return { kept, trimmed: [...fitting.trimmed, ...trimmed].map((t) => t.refusal) };
}

/** Until the transaction ends no rollout ends either: what is brought up of the revision that is current now is there for it to see. */
async function holdRevisions(tx: Transaction, { moves }: PlanRow): Promise<Map<string, number | null>> {
  const names = [...new Set(moves.map((m) => m.deployment))];
  const { name, currentRevision } = deployments;
  const held = await tx.select({ name, currentRevision }).from(deployments).where(inArray(name, names)).orderBy(name).for('share');
  return new Map(held.map((d) => [d.name, d.currentRevision]));
}

/** Reserves what a plan places, and marks what moves. The caller holds the planning lock. */
export async function reserveMoves(tx: Transaction, plan: PlanRow, { kept, trimmed }: FittingMoves): Promise<AppliedPlan> {
  const places = kept.filter((m) => m.kind === 'place');
  for (const move of places) await reserve(tx, plan.id, move);
  if (isDisruption(plan.purpose)) for (const move of kept) await markMoving(tx, plan.id, move);
  await tx
    .update(plans)
    .set({ state: trimmed.length > 0 ? 'trimmed' : 'applied', appliedAt: sql`clock_timestamp()` })
    .where(eq(plans.id, plan.id));
  await notifyChange(tx, 'plans');
  await notifyChange(tx, 'replicas');
  const retiring = kept.filter((m) => m.kind === 'retire').map((m) => m.replicaId);
  return { reserved: places.map((m) => m.replicaId), retiring, trimmed };
}

/** Deployments that plans applied since this one was made have moved. */
export async function changedSince(db: Executor, { createdAt }: Pick<PlanRow, 'createdAt'>): Promise<Set<string>> {
  const since = await db.select({ moves: plans.moves }).from(plans).where(gt(plans.appliedAt, createdAt));
  return new Set(since.flatMap(({ moves }) => moves.map((m) => m.deployment)));
}

async function markMoving(tx: Transaction, planId: string, move: Move): Promise<void> {
  const mark = (id: string | undefined, leaves: boolean) =>
    id === undefined
      ? undefined
      : tx
          .update(replicas)
          .set({ move: { id: moveIdOf(move), planId, leaves } })
          .where(and(eq(replicas.id, id), isNull(replicas.endedAt)));
  if (move.kind === 'place') await mark(move.replicaId, false);
  await mark(leavingOf(move), true);
}

/** A move is over, whichever way it went: these replicas count against the budget no more. */
export async function endMoves(db: Database, replicaIds: readonly string[]): Promise<void> {
  await db
    .update(replicas)
    .set({ move: null })
    .where(inArray(replicas.id, [...replicaIds]));
  await db.transaction((tx) => notifyChange(tx, 'replicas'));
}

/**
 * Gives up what earlier plans of this purpose and subject had begun, where whoever carried them out is no more: nothing of theirs is moving
 * any longer, and what they had reserved and not begun to start is free again. To be called by the one that holds their lock, at its start.
 */
export async function abandonMoves(db: Database, purpose: PlanPurpose, subject: string): Promise<void> {
  const theirs = sql`${replicas.move}->>'planId' in (select id from ${plans} where purpose = ${purpose} and subject = ${subject})`;
  const moving = await db
    .select({ id: replicas.id, state: replicas.state })
    .from(replicas)
    .where(and(theirs, isNull(replicas.endedAt)));
  for (const { id, state } of moving) if (state === 'reserved') await endReplica(db, id, 'failed', 'whoever was to start it is gone');
  await endMoves(
    db,
    moving.map((r) => r.id),
  );
}

export async function alreadyApplied(tx: Transaction, plan: typeof plans.$inferSelect): Promise<AppliedPlan> {
  const rows = await tx.select({ id: replicas.id }).from(replicas).where(eq(replicas.planId, plan.id)).orderBy(replicas.id);
  return { reserved: rows.map((r) => r.id), retiring: plan.moves.flatMap((m) => (m.kind === 'retire' ? [m.replicaId] : [])), trimmed: [] };
}

async function reserve(tx: Transaction, planId: string, move: PlaceMove): Promise<void> {
  await tx.insert(replicas).values({
    id: move.replicaId,
    model: move.model,
    deployment: move.deployment,
    revision: move.revision,
    host: move.host,
    accelerators: move.accelerators,
    acceleratorKind: move.acceleratorKind,
    tensorParallel: move.tensorParallel,
    engine: move.engine,
    state: 'reserved',
    simulated: move.simulated,
    reason: move.reason,
    planId,
    capacityRequestsPerSecond: move.capacityRequestsPerSecond,
  });
  await tx
    .insert(acceleratorClaims)
    .values(move.accelerators.map((accelerator) => ({ host: move.host, accelerator, replicaId: move.replicaId })));
}

/** Every declared host as planning sees it. */
export async function hostStates(db: Executor): Promise<HostState[]> {
  const rows = await db.select().from(hosts).orderBy(hosts.name);
  return rows.map((row) => {
    const { absent, links } = compareInventory(row.spec, row.probe);
    return {
      name: row.name,
      accelerators: expandAccelerators(row.spec.accelerators),
      absent,
      links,
      simulated: row.spec.simulated,
      external: row.external,
      liveness: row.liveness,
      service: row.service,
    };
  });
}
