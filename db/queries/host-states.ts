/** What the control plane says of hosts: whether they are heard of, and whether they take work. */
import { and, eq, gt, inArray, isNull } from 'drizzle-orm';
import type { DrainReceipt } from '../../core/domain/drain.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { HostLiveness, HostService } from '../../core/domain/fleet.ts';
import type { HostProbe } from '../../core/domain/host-probe.ts';
import { type MassSilence, massSilence } from '../../core/domain/mass-silence.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { hosts, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { type Lease, liveLeases } from './leases.ts';
import { endReplicaIn, type ReplicaRow, replicasOn } from './replicas.ts';
import { bumpRoutingVersion } from './routing.ts';

/** A gateway that has not renewed its lease for so long is no witness. */
const FRESH_LEASE_MS = 5000;

/** An engine as its host reports it. */
export interface RunningEngine {
  replicaId: string;
  generation: number;
}

export const ownsEngine = (rows: readonly Pick<ReplicaRow, 'id' | 'generation'>[], engine: RunningEngine): boolean =>
  rows.some((r) => r.id === engine.replicaId && r.generation <= engine.generation);

/**
 * The host is heard of. It takes new work if no engine runs there that nobody owns: until then it is `suspect`, and says why. What was out of
 * the routing table for its silence, and runs, is in it again.
 * @param running engines that run there now
 */
export async function recordHeardOf(
  db: Database,
  host: string,
  running: readonly RunningEngine[],
  probe?: HostProbe,
): Promise<'alive' | 'unclean' | 'undeclared'> {
  return db.transaction(async (tx) => {
    // Held by `abandonReplica` as well: a replica is given up either before this look at what is owned, or not at all.
    const [row] = await tx.select({ service: hosts.service }).from(hosts).where(eq(hosts.name, host)).for('update');
    if (!row) return 'undeclared';
    const owned = await replicasOn(tx, host);
    const strays = running.filter((engine) => !ownsEngine(owned, engine));
    const now = new Date();
    const reason =
      strays.length === 0
        ? ''
        : `engines run there that nobody owns: ${strays.map((e) => `${e.replicaId}, generation ${e.generation}`).join('; ')}`;
    await tx
      .update(hosts)
      .set({
        liveness: strays.length === 0 ? 'alive' : 'suspect',
        ...(strays.length === 0 && { lastSeenAt: now }),
        ...(probe && { probe }),
        ...(row.service === 'schedulable' && { reason }),
        updatedAt: now,
      })
      .where(eq(hosts.name, host));
    await notifyChange(tx, 'hosts');
    const back = owned.filter(
      (r) => r.state === 'unroutable' && running.some((e) => e.replicaId === r.id && e.generation === r.generation),
    );
    await setRouted(tx, back, 'ready', 'its host is heard of again');
    return strays.length === 0 ? 'alive' : 'unclean';
  });
}

export interface Silence {
  /** What is concluded of the host. One that counts as lost stays so until it is heard of. */
  liveness: Extract<HostLiveness, 'suspect' | 'lost'>;
  /** So many hosts are silent together that nothing is concluded; null otherwise. */
  together: MassSilence | null;
  /** Replicas that have a place there still. */
  replicas: number;
  /** Replicas taken out of the routing table now: every gateway finds them unhealthy. */
  unrouted: string[];
}

/** The host is not heard of. @returns null for a host that nobody has declared */
export async function recordSilence(db: Database, host: string, proposed: Silence['liveness'], reason: string): Promise<Silence | null> {
  return db.transaction(async (tx) => {
    const [before] = await tx
      .select({ liveness: hosts.liveness, service: hosts.service })
      .from(hosts)
      .where(eq(hosts.name, host))
      .for('update');
    if (!before) return null;
    const together = await silentTogether(tx, host);
    const liveness = before.liveness === 'lost' || (proposed === 'lost' && !together) ? 'lost' : 'suspect';
    const told = together
      ? `${together.silent.length} of ${together.known} hosts are silent together: it may be us, nothing moves; ${reason}`
      : reason;
    await tx
      .update(hosts)
      .set({ liveness, ...(before.service === 'schedulable' && { reason: told }), updatedAt: new Date() })
      .where(eq(hosts.name, host));
    await notifyChange(tx, 'hosts');
    const owned = await replicasOn(tx, host);
    const dead = together ? [] : unhealthyEverywhere(owned, await liveLeases(tx, FRESH_LEASE_MS));
    await setRouted(tx, dead, 'unroutable', 'its host is silent, and no gateway reaches it');
    return { liveness, together, replicas: owned.length, unrouted: dead.map((r) => r.id) };
  });
}

/** Counting `host` among the silent, whatever its row says yet. */
async function silentTogether(tx: Transaction, host: string): Promise<MassSilence | null> {
  const rows = await tx.select({ name: hosts.name, liveness: hosts.liveness, external: hosts.external }).from(hosts).orderBy(hosts.name);
  const holding = await tx.selectDistinct({ host: replicas.host }).from(replicas).where(isNull(replicas.endedAt));
  return massSilence(
    rows.map((row) => (row.name === host && row.liveness !== 'lost' ? { ...row, liveness: 'suspect' } : row)),
    new Set(holding.map((h) => h.host)),
  );
}

/** Routed replicas that every live gateway has tried and does not reach. Without a gateway there is no witness. */
function unhealthyEverywhere(rows: readonly ReplicaRow[], leases: readonly Lease[]): ReplicaRow[] {
  if (leases.length === 0) return [];
  return rows.filter((r) => r.state === 'ready' && leases.every((lease) => lease.unhealthy[r.id] !== undefined));
}

async function setRouted(tx: Transaction, rows: readonly ReplicaRow[], state: 'ready' | 'unroutable', reason: string): Promise<void> {
  if (rows.length === 0) return;
  await tx
    .update(replicas)
    .set({ state, reason, updatedAt: new Date() })
    .where(
      and(
        inArray(
          replicas.id,
          rows.map((r) => r.id),
        ),
        eq(replicas.state, state === 'ready' ? 'unroutable' : 'ready'),
      ),
    );
  await notifyChange(tx, 'replicas');
  await bumpRoutingVersion(tx);
}

export type Abandoned = 'host-lost' | 'ended-before';

/**
 * Ends a replica whose host is lost, without its host. What may still run there is ended before the host takes work again: its accelerators are
 * nobody's until then.
 * @returns why nothing is left to do; false where its host is not lost: then it can leave as others do
 */
export async function abandonReplica(db: Database, id: string, reason: string): Promise<Abandoned | false> {
  return db.transaction(async (tx) => {
    const [row] = await tx
      .select({ liveness: hosts.liveness, host: hosts.name, endedAt: replicas.endedAt })
      .from(replicas)
      .innerJoin(hosts, eq(hosts.name, replicas.host))
      .where(eq(replicas.id, id))
      .for('update', { of: hosts });
    if (row?.liveness !== 'lost') return row?.endedAt ? 'ended-before' : false;
    await endReplicaIn(tx, id, 'failed', `host ${row.host} is lost; ${reason}`);
    return 'host-lost';
  });
}

/** Replicas that ended since their host was last heard of: engines of theirs may run there, and commands for them be on their way. */
export async function abandonedReplicas(db: Executor, host: string): Promise<ReplicaRow[]> {
  const [row] = await db.select({ liveness: hosts.liveness, lastSeenAt: hosts.lastSeenAt }).from(hosts).where(eq(hosts.name, host));
  if (!row?.lastSeenAt || row.liveness === 'alive') return [];
  return db
    .select()
    .from(replicas)
    .where(and(eq(replicas.host, host), gt(replicas.endedAt, row.lastSeenAt)))
    .orderBy(replicas.id);
}

/** @throws not-found */
export async function setHostService(db: Database, host: string, service: HostService, reason: string): Promise<void> {
  await db.transaction(async (tx) => {
    const updated = await tx
      .update(hosts)
      .set({ service, reason, updatedAt: new Date() })
      .where(eq(hosts.name, host))
      .returning({ name: hosts.name });
    if (updated.length === 0) throw notFound('host', host);
    await notifyChange(tx, 'hosts');
  });
}

/** The end of a drain: the host is empty, and its receipt says how that came about. */
export async function recordDrained(db: Database, host: string, receipt: DrainReceipt): Promise<void> {
  await db.transaction(async (tx) => {
    await tx
      .update(hosts)
      .set({
        service: 'drained',
        reason: `drained: ${receipt.moved.length} replicas left, ${receipt.requestsDropped} requests dropped`,
        drain: { ...receipt },
        updatedAt: new Date(),
      })
      .where(and(eq(hosts.name, host), inArray(hosts.service, ['cordoned', 'draining', 'drained'])));
    await notifyChange(tx, 'hosts');
  });
}
