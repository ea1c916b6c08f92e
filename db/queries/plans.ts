/** Plans: saved once, applied once. The applier verifies a plan again against the present, in one transaction, and trims what no longer fits. */
import { and, desc, eq, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import { expandAccelerators, type HostState } from '../../core/domain/fleet.ts';
import { compareInventory } from '../../core/domain/inventory.ts';
import type { PlaceMove, Plan, PlanPurpose } from '../../core/domain/plan.ts';
import type { Refusal } from '../../core/domain/refusal.ts';
import { checkMoves } from '../../core/placement/check.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { acceleratorClaims, hosts, plans, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { livingReplicas } from './replicas.ts';

/** Whoever plans or applies holds this advisory lock: demands that arrive together see each other's plans. */
const PLAN_LOCK = 0x706c_616e; // 'plan'

export async function lockPlanning(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${PLAN_LOCK})`);
}

export type PlanRow = typeof plans.$inferSelect;

/** Saves a plan; saving the same id again changes nothing. */
export async function savePlan(db: Executor, plan: Plan, state: 'proposed' | 'refused' | 'dry-run'): Promise<void> {
  const { id, purpose, subject, basedOn, moves, report } = plan;
  await db.insert(plans).values({ id, purpose, subject, basedOn, moves, report, state }).onConflictDoNothing();
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
 * gives the same answer. The claims' primary key is the last word: two replicas never hold one accelerator.
 */
export async function applyPlan(db: Database, planId: string): Promise<AppliedPlan> {
  return db.transaction(async (tx) => {
    await lockPlanning(tx);
    const plan = await loadPlan(tx, planId);
    if (plan.state !== 'proposed') return alreadyApplied(tx, plan);
    const present = { hosts: await hostStates(tx), replicas: await livingReplicas(tx) };
    const { kept, trimmed } = checkMoves(plan.moves, present);
    const places = kept.filter((m) => m.kind === 'place');
    for (const move of places) await reserve(tx, planId, move);
    await tx
      .update(plans)
      .set({ state: trimmed.length > 0 ? 'trimmed' : 'applied' })
      .where(eq(plans.id, planId));
    await notifyChange(tx, 'plans');
    await notifyChange(tx, 'replicas');
    return {
      reserved: places.map((m) => m.replicaId),
      retiring: kept.filter((m) => m.kind === 'retire').map((m) => m.replicaId),
      trimmed: trimmed.map((t) => t.refusal),
    };
  });
}

async function alreadyApplied(tx: Transaction, plan: typeof plans.$inferSelect): Promise<AppliedPlan> {
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
