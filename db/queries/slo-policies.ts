/** SLO policies. Every change keeps the version it replaces, and raises the routing version: gateways hold the policies in force. */
import { and, asc, eq, sql } from 'drizzle-orm';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import type { Executor } from '../client.ts';
import { sloPolicies, sloPolicyVersions } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { filteredBy, namesOf, type Page, type PageRequest, toPage } from './page.ts';
import { bumpRoutingVersion } from './routing.ts';

export type SloPolicyRow = typeof sloPolicies.$inferSelect;

/**
 * @param tenant only policies that name it; null for all
 * @param model the same of models; undefined for all
 */
export async function listSloPolicies(db: Executor, page: PageRequest, tenant: string | null, model?: string): Promise<Page<SloPolicyRow>> {
  const named = (what: 'model' | 'tenant', name?: string) => filteredBy(sql`${sloPolicies.spec}->'match'->>${what}`, name);
  const rows = await db
    .select()
    .from(sloPolicies)
    .where(and(namesOf(page, sloPolicies.name), named('tenant', tenant ?? undefined), named('model', model)))
    .orderBy(asc(sloPolicies.name))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => row.name);
}

/** @throws not-found */
export async function readSloPolicy(db: Executor, name: string): Promise<SloPolicyRow> {
  const [row] = await db.select().from(sloPolicies).where(eq(sloPolicies.name, name));
  if (!row) throw notFound('SLO policy', name);
  return row;
}

/** Holds the row against any change until the transaction ends. @throws not-found */
export async function lockSloPolicy(tx: Executor, name: string): Promise<SloPolicyRow> {
  const [row] = await tx.select().from(sloPolicies).where(eq(sloPolicies.name, name)).for('update');
  if (!row) throw notFound('SLO policy', name);
  return row;
}

/** A policy made again under an old name goes on counting versions where the old one ended. @throws already-exists */
export async function insertSloPolicy(tx: Executor, spec: SloPolicy): Promise<void> {
  const [last] = await tx
    .select({ version: sql<number>`coalesce(max(${sloPolicyVersions.version}), 0)` })
    .from(sloPolicyVersions)
    .where(eq(sloPolicyVersions.name, spec.name));
  const version = (last?.version ?? 0) + 1;
  const inserted = await tx.insert(sloPolicies).values({ name: spec.name, spec, version }).onConflictDoNothing().returning();
  if (inserted.length === 0) throw new UellmError({ kind: 'already-exists', what: 'SLO policy', name: spec.name });
  await keepVersion(tx, spec.name, version, spec);
}

export async function updateSloPolicy(tx: Executor, spec: SloPolicy): Promise<void> {
  const [row] = await tx
    .update(sloPolicies)
    .set({ spec, version: sql`${sloPolicies.version} + 1`, updatedAt: new Date() })
    .where(eq(sloPolicies.name, spec.name))
    .returning();
  if (!row) throw notFound('SLO policy', spec.name);
  await keepVersion(tx, spec.name, row.version, spec);
}

export async function deleteSloPolicy(tx: Executor, name: string): Promise<void> {
  const [row] = await tx.delete(sloPolicies).where(eq(sloPolicies.name, name)).returning();
  if (!row) throw notFound('SLO policy', name);
  await keepVersion(tx, name, row.version + 1, null);
}

async function keepVersion(tx: Executor, name: string, version: number, spec: SloPolicy | null): Promise<void> {
  await tx.insert(sloPolicyVersions).values({ name, version, spec });
  await notifyChange(tx, 'slo-policies');
  await bumpRoutingVersion(tx);
}
