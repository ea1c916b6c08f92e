/** Hosts as declared, and what operators do to them. What the control plane says of them is written in `host-states.ts`. */
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import type { HostLiveness, HostService, HostSpec } from '../../core/domain/fleet.ts';
import type { Executor } from '../client.ts';
import { acceleratorClaims, hosts, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { filteredBy, namesOf, type Page, type PageRequest, toPage } from './page.ts';

export type HostRow = typeof hosts.$inferSelect;

export interface HostUse {
  /** Replicas that have not ended. */
  replicas: number;
  /** Accelerators that some replica holds. */
  claimed: number;
}

const selection = {
  host: hosts,
  replicas: sql<number>`(select count(*) from ${replicas} r where r.host = "hosts"."name" and r.ended_at is null)::int`,
  claimed: sql<number>`(select count(*) from ${acceleratorClaims} c where c.host = "hosts"."name")::int`,
};

export interface HostFilter {
  service?: HostService | undefined;
  liveness?: HostLiveness | undefined;
}

export async function listHosts(db: Executor, page: PageRequest, where: HostFilter = {}): Promise<Page<HostRow & HostUse>> {
  const rows = await db
    .select(selection)
    .from(hosts)
    .where(and(namesOf(page, hosts.name), filteredBy(hosts.service, where.service), filteredBy(hosts.liveness, where.liveness)))
    .orderBy(asc(hosts.name))
    .limit(page.limit + 1);
  return toPage(
    rows.map(({ host, ...use }) => ({ ...host, ...use })),
    page,
    (row) => row.name,
  );
}

/** @throws not-found */
export async function readHost(db: Executor, name: string): Promise<HostRow & HostUse> {
  const [row] = await db.select(selection).from(hosts).where(eq(hosts.name, name));
  if (!row) throw notFound('host', name);
  const { host, ...use } = row;
  return { ...host, ...use };
}

/** Holds the row until the transaction ends: `share` against its deletion, `update` against any change. @throws not-found */
export async function lockHost(tx: Executor, name: string, strength: 'share' | 'update'): Promise<HostRow> {
  const [row] = await tx.select().from(hosts).where(eq(hosts.name, name)).for(strength);
  if (!row) throw notFound('host', name);
  return row;
}

/** Names of the hosts that a deployment may ask for: declared, and not somebody else's. */
export async function placeableHostNames(db: Executor): Promise<string[]> {
  const rows = await db.select({ name: hosts.name }).from(hosts).where(eq(hosts.external, false)).orderBy(asc(hosts.name));
  return rows.map((row) => row.name);
}

/** @throws already-exists */
export async function insertHost(tx: Executor, spec: HostSpec): Promise<void> {
  const inserted = await tx
    .insert(hosts)
    .values({ name: spec.name, spec, external: spec.external !== undefined })
    .onConflictDoNothing()
    .returning({ name: hosts.name });
  if (inserted.length === 0) throw new UellmError({ kind: 'already-exists', what: 'host', name: spec.name });
  await notifyChange(tx, 'hosts');
}

export async function updateHost(tx: Executor, spec: HostSpec): Promise<void> {
  await tx
    .update(hosts)
    .set({ spec, version: sql`${hosts.version} + 1`, updatedAt: new Date() })
    .where(eq(hosts.name, spec.name));
  await notifyChange(tx, 'hosts');
}

export async function deleteHost(tx: Executor, name: string): Promise<void> {
  await tx.delete(hosts).where(eq(hosts.name, name));
  await notifyChange(tx, 'hosts');
}

/** Cordons a host or takes the cordon away, within the caller's transaction. */
export async function changeHostService(tx: Executor, name: string, service: HostService, reason: string): Promise<void> {
  await tx.update(hosts).set({ service, reason, updatedAt: new Date() }).where(eq(hosts.name, name));
  await notifyChange(tx, 'hosts');
}

/** Ids of the replicas on a host that have not ended. */
export async function livingReplicaIds(db: Executor, host: string): Promise<string[]> {
  const rows = await db
    .select({ id: replicas.id })
    .from(replicas)
    .where(and(eq(replicas.host, host), isNull(replicas.endedAt)))
    .orderBy(asc(replicas.id));
  return rows.map((row) => row.id);
}

export async function countDrainingHosts(db: Executor): Promise<number> {
  return db.$count(hosts, eq(hosts.service, 'draining'));
}

export async function countSimulatedHosts(db: Executor): Promise<number> {
  return db.$count(hosts, sql`(${hosts.spec}->>'simulated')::boolean`);
}
