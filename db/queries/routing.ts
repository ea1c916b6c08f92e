/** The routing table: what gateways route by, and its version. */
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import type { RoutedReplica, RoutingTable } from '../../core/domain/routing.ts';
import type { Executor } from '../client.ts';
import { deployments, replicas, routingVersion, sloPolicies, tenants } from '../schema/index.ts';
import { shadowedDeployments } from './modes.ts';

/** NOTIFY channel; its payload is the new version and nothing else. */
export const ROUTING_CHANNEL = 'uellm_routing';

/** Raises the version and tells the gateways when the surrounding transaction commits. Call it last in that transaction: it locks one row. */
export async function bumpRoutingVersion(db: Executor): Promise<number> {
  const [row] = await db
    .update(routingVersion)
    .set({ version: sql`${routingVersion.version} + 1` })
    .where(eq(routingVersion.id, 1))
    .returning({ version: routingVersion.version });
  if (!row) throw new Error('routing_version has no row: was the database migrated?');
  await db.execute(sql`select pg_notify(${ROUTING_CHANNEL}, ${String(row.version)})`);
  return row.version;
}

/** Cheap enough to ask every other second. */
export async function currentRoutingVersion(db: Executor): Promise<number> {
  const [row] = await db.select().from(routingVersion).where(eq(routingVersion.id, 1));
  return row?.version ?? 0;
}

/** The whole table. Call it in a repeatable-read transaction, so that replicas, policies and version are of one moment. */
export async function loadRoutingTable(db: Executor): Promise<RoutingTable> {
  const version = await currentRoutingVersion(db);
  const rows = await db
    .select()
    .from(replicas)
    .where(and(inArray(replicas.state, ['ready']), isNotNull(replicas.endpoint), isNotNull(replicas.stepTime)))
    .orderBy(replicas.id);
  const policies = await db.select({ spec: sloPolicies.spec }).from(sloPolicies).orderBy(sloPolicies.name);
  const shadowed = new Set(await shadowedDeployments(db));
  const declared = await db.select({ spec: tenants.spec }).from(tenants).orderBy(tenants.name);
  return {
    version,
    replicas: rows.map((row) => toRouted(row, shadowed.has(row.deployment))),
    policies: policies.map((p) => p.spec),
    tenants: declared.map((t) => t.spec),
  };
}

/** In shadow mode a replica takes what its engine takes: what monitoring had limited before holds nothing back. */
function toRouted(row: typeof replicas.$inferSelect, shadowed: boolean): RoutedReplica {
  return {
    replicaId: row.id,
    generation: row.generation,
    deployment: row.deployment,
    revision: row.revision,
    model: row.model,
    host: row.host,
    engine: row.engine,
    endpoint: row.endpoint!,
    weight: row.weight,
    maxInFlight: row.maxInFlight,
    stepTime: row.stepTime!,
    kvCacheTokens: row.kvCacheTokens ?? 16_384,
    kvShare: shadowed ? 1 : row.kvShare,
    maxInFlightShare: shadowed ? 1 : row.maxInFlightShare,
    chat: row.chat,
    simulated: row.simulated,
    ...(shadowed && { shadowed }),
  };
}

export interface DeploymentTarget {
  name: string;
  model: string;
}

/** What deployments there are, with replicas or without: a request for one that has none yet waits, for one that does not exist it fails. */
export async function deploymentTargets(db: Executor): Promise<DeploymentTarget[]> {
  return db
    .select({ name: deployments.name, model: sql<string>`${deployments.spec}->>'model'` })
    .from(deployments)
    .orderBy(deployments.name);
}
