/** Takes what is known of a tenant out of the snapshots: of the one in force by a successor, of those kept for rollbacks in place. */
import { eq, sql } from 'drizzle-orm';
import { forgetTenant } from '../../core/profiler/forget-tenant.ts';
import { profilerSnapshotSchema } from '../../core/profiler/snapshot.ts';
import type { Database } from '../client.ts';
import { profilerSnapshots } from '../schema/index.ts';
import { latestSnapshot, latestSnapshotRecord, publishSnapshot } from './profiler.ts';

/** Again changes nothing: one that broke off may be asked again. */
export async function forgetTenantInSnapshots(db: Database, tenant: string): Promise<void> {
  await publishWithout(db, tenant);
  const { version, snapshot } = profilerSnapshots;
  // One at a time: each is large, and nobody is to wait for all of them.
  for (const kept of await db.select({ version }).from(profilerSnapshots)) {
    const itself = eq(version, kept.version);
    const [row] = await db.select({ snapshot }).from(profilerSnapshots).where(itself);
    const known = profilerSnapshotSchema.safeParse(row?.snapshot).data;
    if (!known) continue; // pruned meanwhile, or of another release: nobody goes back to it
    const without = forgetTenant(known, tenant);
    if (without !== known)
      await db
        .update(profilerSnapshots)
        .set({ snapshot: { ...without } })
        .where(itself);
  }
}

/** A version of its own, so that gateways read it, and whoever trains goes on from there. */
async function publishWithout(db: Database, tenant: string): Promise<void> {
  await db.transaction(async (tx) => {
    // A trainer that publishes meanwhile waits, finds its version taken, and goes on from ours.
    await tx.execute(sql`lock table ${profilerSnapshots} in share row exclusive mode`);
    const known = await latestSnapshot(tx);
    if (!known) return;
    const without = forgetTenant(known, tenant);
    if (without === known) return;
    const { version, scores } = (await latestSnapshotRecord(tx))!;
    const publication = { reason: 'observations of a tenant were deleted', basedOn: version };
    await publishSnapshot(tx, { ...without, version: version + 1 }, scores, publication);
  });
}
