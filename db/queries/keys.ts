/**
 * API keys. A secret is 256 random bits, so its SHA-256 needs neither salt nor stretching. Whatever makes or revokes a key writes the audit row
 * with it and raises the routing version: gateways read the keys beside the routing table.
 */
import { randomBytes } from 'node:crypto';
import { and, desc, eq, getTableColumns, gt, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { KEY_PREFIX, type Role } from '../../core/domain/access.ts';
import { conflict, notFound } from '../../core/domain/errors.ts';
import type { Executor } from '../client.ts';
import { keys } from '../schema/index.ts';
import { hashOfSecret } from '../secret-hash.ts';
import { recordAudit } from './audit.ts';
import { notifyChange } from './changes.ts';
import { filteredBy, type Page, type PageRequest, serialKey, toPage } from './page.ts';
import { bumpRoutingVersion } from './routing.ts';

/** Everything but the hash. */
export type KeyRow = Omit<typeof keys.$inferSelect, 'sha256'>;

export interface KeyRequest {
  name: string | null;
  role: Role;
  tenant: string | null;
  /** null for one that does not run out. */
  expiresInSeconds: number | null;
}

/** What gateways know of a key. */
export interface RoutedKey {
  id: number;
  /** In hexadecimal. */
  sha256: string;
  role: Role;
  tenant: string | null;
  expiresAtMs: number | null;
}

const { sha256: _, ...readable } = getTableColumns(keys);

const USED_AFTER_MS = 60_000;
/** Enough to tell keys apart, and 36 of the 256 bits. */
const SHOWN_CHARACTERS = KEY_PREFIX.length + 6;

/** Makes a key. The secret is here and then nowhere any more. */
export async function createKey(tx: Executor, request: KeyRequest, actor: string): Promise<{ row: KeyRow; secret: string }> {
  const secret = KEY_PREFIX + randomBytes(32).toString('base64url');
  const { expiresInSeconds, ...named } = request;
  const expiresAt = expiresInSeconds === null ? null : sql`now() + make_interval(secs => ${expiresInSeconds})`;
  const [row] = await tx
    .insert(keys)
    .values({ ...named, sha256: hashOfSecret(secret), prefix: secret.slice(0, SHOWN_CHARACTERS), createdBy: actor, expiresAt })
    .returning(readable);
  const { id, name, role, tenant } = row!;
  const after = { name, role, tenant, expiresAt: row!.expiresAt };
  await recordAudit(tx, { actor, action: 'create', kind: 'keys', name: String(id), tenant, after });
  await tellOf(tx);
  return { row: row!, secret };
}

/** @param tenant whose key it has to be; null for any @throws not-found, conflict when it is revoked already */
export async function revokeKey(tx: Executor, id: number, tenant: string | null, actor: string): Promise<void> {
  const [row] = await tx
    .select(readable)
    .from(keys)
    .where(and(eq(keys.id, id), ofTenant(tenant)))
    .for('update');
  if (!row) throw notFound('key', String(id));
  if (row.revokedAt) throw conflict('key', String(id), `was revoked by ${row.revokedBy}`);
  await revoke(tx, [row], actor);
}

/** With a tenant its keys end: what it may spend is no longer written anywhere. */
export async function revokeKeysOf(tx: Executor, tenant: string, actor: string): Promise<void> {
  const own = and(eq(keys.tenant, tenant), isNull(keys.revokedAt));
  await revoke(tx, await tx.select(readable).from(keys).where(own).orderBy(keys.id).for('update'), actor);
}

async function revoke(tx: Executor, rows: readonly KeyRow[], actor: string): Promise<void> {
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id);
  await tx.update(keys).set({ revokedAt: sql`now()`, revokedBy: actor }).where(inArray(keys.id, ids));
  for (const { id, name, role, tenant, expiresAt } of rows) {
    await recordAudit(tx, { actor, action: 'revoke', kind: 'keys', name: String(id), tenant, before: { name, role, tenant, expiresAt } });
  }
  await tellOf(tx);
}

/** Newest first, revoked and expired ones included. @param tenant whose; null for all */
export async function listKeys(db: Executor, page: PageRequest, tenant: string | null, role?: Role): Promise<Page<KeyRow>> {
  const rows = await db
    .select(readable)
    .from(keys)
    .where(and(ofTenant(tenant), filteredBy(keys.role, role), page.after === undefined ? undefined : lt(keys.id, serialKey(page.after))))
    .orderBy(desc(keys.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.id));
}

/** @param tenant whose it has to be; null for any @throws not-found */
export async function readKey(db: Executor, id: number, tenant: string | null): Promise<KeyRow> {
  const [row] = await db
    .select(readable)
    .from(keys)
    .where(and(eq(keys.id, id), ofTenant(tenant)));
  if (!row) throw notFound('key', String(id));
  return row;
}

/** The key of a secret, while it is neither revoked nor expired; that it is used is written down about once a minute. */
export async function useKey(db: Executor, secret: string): Promise<KeyRow | undefined> {
  const [row] = await db
    .select(readable)
    .from(keys)
    .where(and(eq(keys.sha256, hashOfSecret(secret)), inForce()));
  if (row && (row.lastUsedAt === null || Date.now() - row.lastUsedAt.getTime() > USED_AFTER_MS)) await touchKeys(db, [row.id]);
  return row;
}

/** Every key that lets anybody in. Expired ones are left out, and those that will expire say when. */
export async function keysInForce(db: Executor): Promise<RoutedKey[]> {
  const rows = await db
    .select({ id: keys.id, sha256: keys.sha256, role: keys.role, tenant: keys.tenant, expiresAt: keys.expiresAt })
    .from(keys)
    .where(inForce())
    .orderBy(keys.id);
  return rows.map(({ expiresAt, ...key }) => ({ ...key, expiresAtMs: expiresAt?.getTime() ?? null }));
}

/** Is there a key with which somebody can make others? */
export async function hasAdminKey(db: Executor): Promise<boolean> {
  return (await db.$count(keys, and(eq(keys.role, 'admin'), isNull(keys.tenant), inForce()))) > 0;
}

/** Says that they were used; often enough once a minute. */
export async function touchKeys(db: Executor, ids: readonly number[]): Promise<void> {
  const stale = or(isNull(keys.lastUsedAt), lt(keys.lastUsedAt, sql`now() - interval '30 seconds'`));
  if (ids.length > 0)
    await db
      .update(keys)
      .set({ lastUsedAt: sql`now()` })
      .where(and(inArray(keys.id, [...ids]), stale));
}

function inForce(): SQL | undefined {
  return and(isNull(keys.revokedAt), or(isNull(keys.expiresAt), gt(keys.expiresAt, sql`now()`)));
}

function ofTenant(tenant: string | null): SQL | undefined {
  return tenant === null ? undefined : eq(keys.tenant, tenant);
}

async function tellOf(tx: Executor): Promise<void> {
  await notifyChange(tx, 'keys');
  await bumpRoutingVersion(tx);
}
