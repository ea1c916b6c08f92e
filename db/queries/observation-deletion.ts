/** Deleting what was recorded of a tenant: partition by partition and some thousand rows a transaction, so that nobody waits for it. */
import { sql } from 'drizzle-orm';
import type { Database } from '../client.ts';
import { forgetTenantInSnapshots } from './forget-tenant.ts';
import { partitionedDays, partitionOf } from './observation-partitions.ts';

/** NOTIFY channel, without a payload: whoever has read observations is to read anew what is left of them. */
export const DELETION_CHANNEL = 'uellm_observations_deleted';

const DELETED_AT_ONCE = 5000;
const DEFAULT_PARTITION = 'observations_default';
/** SQLSTATE: the table is gone. */
const UNDEFINED_TABLE = '42P01';

/**
 * Deletes every observation of a tenant that was stored when the call began, and what snapshots know of it alone. What gateways deliver
 * meanwhile may stay.
 * @returns how many were deleted
 */
export async function deleteObservationsOf(db: Database, tenant: string): Promise<number> {
  // Rows move from the default partition to a day, never back: whoever looks at the days afterwards finds them.
  let deleted = await deleteFrom(db, DEFAULT_PARTITION, tenant);
  for (const day of await partitionedDays(db)) deleted += await deleteFrom(db, partitionOf(day), tenant);
  if (deleted > 0) await db.execute(sql`select pg_notify(${DELETION_CHANNEL}, '')`);
  await forgetTenantInSnapshots(db, tenant);
  return deleted;
}

/** One pass over the partition in the order of its ids, however many batches that takes. */
async function deleteFrom(db: Database, partition: string, tenant: string): Promise<number> {
  const table = sql.identifier(partition);
  let deleted = 0;
  let after = 0;
  for (;;) {
    const batch = await deleteBatch(db, table, tenant, after).catch((error) => {
      if (isGone(error)) return null;
      throw error;
    });
    if (!batch) return deleted;
    deleted += batch.rows;
    after = batch.lastId;
    if (batch.rows < DELETED_AT_ONCE) return deleted;
  }
}

async function deleteBatch(db: Database, table: ReturnType<typeof sql.identifier>, tenant: string, after: number) {
  const { rows } = await db.execute<{ rows: number; last_id: string | null }>(sql`
    with batch as materialized (
      select ctid, id from ${table} where tenant = ${tenant} and id > ${after} order by id limit ${DELETED_AT_ONCE}
    ), gone as (
      delete from ${table} where ctid = any(array(select ctid from batch))
    )
    select count(*)::int as rows, max(id) as last_id from batch`);
  const [found] = rows;
  return { rows: found!.rows, lastId: Number(found!.last_id ?? after) };
}

/** Its day was dropped meanwhile, with all that was in it. */
function isGone(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: unknown }).code === UNDEFINED_TABLE) return true;
  }
  return false;
}
