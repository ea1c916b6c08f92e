/** Gateways' leases: which routing version each live gateway routes by, and what it has open on each replica. */
import { and, asc, count, desc, eq, gt, isNotNull, lt, or, sql } from 'drizzle-orm';
import type { Leftover, OpenRequests } from '../../core/domain/drain.ts';
import { SILENT_AFTER_MS } from '../../core/placement/forecast/recent.ts';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import type { Demand } from '../../core/scheduler/shares.ts';
import type { Executor } from '../client.ts';
import { gatewayLeases } from '../schema/index.ts';
import { currentRoutingVersion } from './routing.ts';

/** A gateway that has not renewed its lease for so long is no more: it holds no requests. */
export const LEASE_LIFETIME_MS = 10_000;

export interface Lease {
  gatewayId: string;
  /** Base URL under which the gateway serves. */
  address: string;
  /** Name of the policy that it schedules by: written, and read by `gatewayPolicies` alone. */
  schedulerPolicy?: string;
  /** A promise: nothing new goes, ever, to a replica that is absent from this version of the routing table. */
  routingVersion: number;
  /** replica id → requests open on it, at the moment for which `routingVersion` holds. */
  inFlight: Record<string, number>;
  /** replica id → how those ended that were open on it when this gateway stopped routing to it. */
  leftover?: Record<string, Leftover>;
  /** replica id → why the gateway sends nothing there, for the routed replicas that do not answer it. */
  unhealthy: Record<string, string>;
  /** replica id → what monitoring reads of it (`monitoring-evidence.ts`): written, not read back with the rest. */
  gauges?: Record<string, ReplicaGauges>;
  /** replica id → what the gateway wants of it, for the other gateways: read by `gatewayDemands` alone. */
  demand?: Record<string, Demand>;
}

export interface GatewayDemand {
  gatewayId: string;
  demand: Record<string, Demand>;
}

/**
 * Writes the lease, or renews it. A renewal that was overtaken on its way (an older routing version) changes nothing; one that comes after the
 * lease had run out begins it anew, so that it was held without a break since `startedAt`.
 */
export async function renewLease(db: Executor, lease: Lease): Promise<void> {
  const { gatewayId: _, ...current } = lease;
  await db
    .insert(gatewayLeases)
    .values(lease)
    .onConflictDoUpdate({
      target: gatewayLeases.gatewayId,
      set: {
        ...current,
        startedAt: sql`case when ${renewedWithin(SILENT_AFTER_MS)} then ${gatewayLeases.startedAt} else now() end`,
        renewedAt: sql`now()`,
      },
      setWhere: sql`${gatewayLeases.routingVersion} <= excluded.routing_version`,
    });
}

const columns = {
  gatewayId: gatewayLeases.gatewayId,
  address: gatewayLeases.address,
  routingVersion: gatewayLeases.routingVersion,
  inFlight: gatewayLeases.inFlight,
  unhealthy: gatewayLeases.unhealthy,
};

/** Leases renewed within the last `maxAgeMs`, by the database's clock, in the order of their gateways' ids. */
export async function liveLeases(db: Executor, maxAgeMs: number): Promise<Lease[]> {
  return db.select(columns).from(gatewayLeases).where(renewedWithin(maxAgeMs)).orderBy(asc(gatewayLeases.gatewayId));
}

/** What live gateways schedule by: the policy of most of them first. */
export async function gatewayPolicies(db: Executor): Promise<string[]> {
  const { schedulerPolicy } = gatewayLeases;
  const rows = await db
    .select({ schedulerPolicy })
    .from(gatewayLeases)
    .where(and(renewedWithin(LEASE_LIFETIME_MS), isNotNull(schedulerPolicy)))
    .groupBy(schedulerPolicy)
    .orderBy(desc(count()), asc(schedulerPolicy));
  return rows.map((row) => row.schedulerPolicy!);
}

/** A gateway that has not renewed its lease for so long has no share of the replicas: five renewals. */
const SHARES_FOR_MS = 2500;

/** What each gateway wants of each replica, in the order of their ids. */
export async function gatewayDemands(db: Executor): Promise<GatewayDemand[]> {
  return db
    .select({ gatewayId: gatewayLeases.gatewayId, demand: gatewayLeases.demand })
    .from(gatewayLeases)
    .where(renewedWithin(SHARES_FOR_MS))
    .orderBy(asc(gatewayLeases.gatewayId));
}

/**
 * What every gateway has had to do with a replica since this moment, the living and the dead: those that gave their lease back are not among
 * them, they had nothing open any more.
 * @param since a gateway that renewed its lease for the last time before this knows nothing of it
 */
export async function leasesSince(db: Executor, since: Date, maxAgeMs: number): Promise<(Lease & { isLive: boolean })[]> {
  return db
    .select({ ...columns, leftover: gatewayLeases.leftover, isLive: sql<boolean>`${renewedWithin(maxAgeMs)}` })
    .from(gatewayLeases)
    .where(or(gt(gatewayLeases.renewedAt, sql`${since}::timestamptz - ${maxAgeMs} * interval '1 millisecond'`), renewedWithin(maxAgeMs)))
    .orderBy(asc(gatewayLeases.gatewayId));
}

export async function openRequestsOn(db: Executor, replicaIds: readonly string[]): Promise<OpenRequests[]> {
  const leases = await liveLeases(db, LEASE_LIFETIME_MS);
  const version = await currentRoutingVersion(db);
  const gatewaysBehind = leases.filter((l) => l.routingVersion < version).map((l) => l.gatewayId);
  return replicaIds.map((replicaId) => ({
    replicaId,
    open: leases.reduce((sum, l) => sum + (l.inFlight[replicaId] ?? 0), 0),
    gatewaysBehind,
  }));
}

export async function removeLease(db: Executor, gatewayId: string): Promise<void> {
  await db.delete(gatewayLeases).where(eq(gatewayLeases.gatewayId, gatewayId));
}

/** Removes what gateways that died left behind. */
export async function pruneLeases(db: Executor, olderThanMs: number): Promise<void> {
  await db.delete(gatewayLeases).where(lt(gatewayLeases.renewedAt, ago(olderThanMs)));
}

export const renewedWithin = (maxAgeMs: number) => gt(gatewayLeases.renewedAt, ago(maxAgeMs));

const ago = (ms: number) => sql`now() - ${ms} * interval '1 millisecond'`;
