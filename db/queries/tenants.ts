/** Tenants as declared. Every change raises the routing version: gateways read there what they may look at of a tenant's requests. */
import { and, asc, eq, sql } from 'drizzle-orm';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import type { Tenant } from '../../core/domain/tenant.ts';
import type { Executor } from '../client.ts';
import { tenants } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { filteredBy, namesOf, type Page, type PageRequest, toPage } from './page.ts';
import { bumpRoutingVersion } from './routing.ts';

export type TenantRow = typeof tenants.$inferSelect;

/** @param only that one; null for all */
export async function listTenants(db: Executor, page: PageRequest, only: string | null): Promise<Page<TenantRow>> {
  const rows = await db
    .select()
    .from(tenants)
    .where(and(filteredBy(tenants.name, only ?? undefined), namesOf(page, tenants.name)))
    .orderBy(asc(tenants.name))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => row.name);
}

/** @throws not-found */
export async function readTenant(db: Executor, name: string): Promise<TenantRow> {
  const [row] = await db.select().from(tenants).where(eq(tenants.name, name));
  if (!row) throw notFound('tenant', name);
  return row;
}

/** Holds the row against any change until the transaction ends. @throws not-found */
export async function lockTenant(tx: Executor, name: string): Promise<TenantRow> {
  const [row] = await tx.select().from(tenants).where(eq(tenants.name, name)).for('update');
  if (!row) throw notFound('tenant', name);
  return row;
}

/** Of those that are declared an error names so many. */
const NAMED_TENANTS = 10;

/**
 * Holds the tenant that something is to be made for against its deletion.
 * @throws invalid-input, of the field `tenant`, where nobody declared it: it would have no limits
 */
export async function referToTenant(tx: Executor, name: string): Promise<void> {
  const [row] = await tx.select({ name: tenants.name }).from(tenants).where(eq(tenants.name, name)).for('share');
  if (row) return;
  const known = await tx
    .select({ name: tenants.name })
    .from(tenants)
    .orderBy(asc(tenants.name))
    .limit(NAMED_TENANTS + 1);
  const names = known.slice(0, NAMED_TENANTS).map((tenant) => tenant.name);
  const these = names.length === 0 ? 'none is yet' : `${names.join(', ')}${known.length > NAMED_TENANTS ? ', ...' : ''}`;
  const allowed = `the name of a tenant that is declared (${these}); uellm apply declares one: kind: Tenant, name: ${name}`;
  throw new UellmError({ kind: 'invalid-input', what: 'the request', issues: [{ field: 'tenant', given: JSON.stringify(name), allowed }] });
}

/** @throws already-exists */
export async function insertTenant(tx: Executor, spec: Tenant): Promise<void> {
  const inserted = await tx.insert(tenants).values({ name: spec.name, spec }).onConflictDoNothing().returning({ name: tenants.name });
  if (inserted.length === 0) throw new UellmError({ kind: 'already-exists', what: 'tenant', name: spec.name });
  await tellOf(tx);
}

/** @throws not-found */
export async function updateTenant(tx: Executor, spec: Tenant): Promise<void> {
  const updated = await tx
    .update(tenants)
    .set({ spec, version: sql`${tenants.version} + 1`, updatedAt: new Date() })
    .where(eq(tenants.name, spec.name))
    .returning({ name: tenants.name });
  if (updated.length === 0) throw notFound('tenant', spec.name);
  await tellOf(tx);
}

/** @throws not-found */
export async function deleteTenant(tx: Executor, name: string): Promise<void> {
  const deleted = await tx.delete(tenants).where(eq(tenants.name, name)).returning({ name: tenants.name });
  if (deleted.length === 0) throw notFound('tenant', name);
  await tellOf(tx);
}

async function tellOf(tx: Executor): Promise<void> {
  await notifyChange(tx, 'tenants');
  await bumpRoutingVersion(tx);
}
