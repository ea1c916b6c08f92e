/** What the control plane says of hosts: whether they are heard of, and whether they take work. */
import { and, eq, inArray, ne } from 'drizzle-orm';
import type { DrainReceipt } from '../../core/domain/drain.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { HostLiveness, HostService } from '../../core/domain/fleet.ts';
import type { HostProbe } from '../../core/domain/host-probe.ts';
import type { Database } from '../client.ts';
import { hosts } from '../schema/index.ts';
import { notifyChange } from './changes.ts';

/** A sign of life, with what the host finds in itself, or its absence. Returns false for a host that nobody declared. */
export async function recordLiveness(
  db: Database,
  host: string,
  liveness: HostLiveness,
  reason: string,
  probe?: HostProbe,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const seen = liveness === 'alive' ? { lastSeenAt: new Date() } : {};
    const updated = await tx
      .update(hosts)
      .set({ liveness, ...seen, ...(probe && { probe }), updatedAt: new Date() })
      .where(eq(hosts.name, host))
      .returning({ service: hosts.service });
    const [row] = updated;
    if (!row) return false;
    // A cordon keeps its own reason: silence does not explain it away.
    if (row.service === 'schedulable') await tx.update(hosts).set({ reason }).where(eq(hosts.name, host));
    await notifyChange(tx, 'hosts');
    return true;
  });
}

/** Share of the declared, once heard-of hosts that are silent now, 0 to 1. */
export async function silentShare(db: Database): Promise<number> {
  const rows = await db
    .select({ liveness: hosts.liveness })
    .from(hosts)
    .where(and(ne(hosts.liveness, 'pending'), eq(hosts.external, false)));
  if (rows.length === 0) return 0;
  return rows.filter((r) => r.liveness !== 'alive').length / rows.length;
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
