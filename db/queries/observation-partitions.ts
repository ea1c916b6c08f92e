/**
 * The days of the table of observations: each UTC day has a partition of its own, made ahead and dropped whole when it is old. What has no
 * day (a clock far off, a day long past) is in the default partition, and leaves it row by row.
 *
 * One process at a time calls these. Each change of a partition is a transaction of its own that gives up where it would have to wait long:
 * nothing is lost by that, for the default partition takes what has no day, and the next call moves it.
 */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../client.ts';
import { DELIVERY_LOCK } from './observations.ts';

const DAY_MS = 86_400_000;
/** Whoever reads or writes observations waits behind us for as long as we wait. */
const LOCK_TIMEOUT = '2s';
const PRUNED_AT_ONCE = 5000;

/** What to keep: all observations that were accepted within the last `days` days, the present one not counted. */
export interface RetentionPolicy {
  days: number;
}

/** First millisecond of the UTC day. */
export const startOfDay = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

/** `observations_20260131` */
export function partitionOf(dayMs: number): string {
  return `observations_${new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

/** Start of each day that has a partition, in order, Unix ms. */
export async function partitionedDays(db: Database | Transaction): Promise<number[]> {
  const { rows } = await db.execute<{ name: string }>(sql`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'observations'::regclass order by 1`);
  return rows.flatMap(({ name }) => {
    const [, year, month, day] = /^observations_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
    return day === undefined ? [] : [Date.UTC(Number(year), Number(month) - 1, Number(day))];
  });
}

/**
 * Makes the partitions that are missing: of today, of the `ahead` days after it, and of kept days that the default partition has rows of, which
 * move to theirs.
 * @returns names of the partitions made
 */
export async function createPartitions(db: Database, nowMs: number, ahead: number, { days }: RetentionPolicy): Promise<string[]> {
  const today = startOfDay(nowMs);
  const oldest = today - days * DAY_MS;
  const wanted = new Set(Array.from({ length: ahead + 1 }, (_, i) => today + i * DAY_MS));
  for (const day of await strandedDays(db, oldest, today + (ahead + 1) * DAY_MS)) wanted.add(day);
  const present = new Set(await partitionedDays(db));
  const made: string[] = [];
  for (const day of [...wanted].sort((a, b) => a - b)) {
    if (present.has(day)) continue;
    if (await createPartition(db, day)) made.push(partitionOf(day));
  }
  return made;
}

/** Days within [from, to) that the default partition has rows of. */
async function strandedDays(db: Database, fromMs: number, toMs: number): Promise<number[]> {
  const { rows } = await db.execute<{ ms: number }>(sql`
    select distinct (extract(epoch from date_trunc('day', accepted_at, 'UTC')) * 1000)::float8 as ms from observations_default
    where accepted_at >= ${iso(fromMs)}::timestamptz and accepted_at < ${iso(toMs)}::timestamptz`);
  return rows.map(({ ms }) => ms);
}

/**
 * A partition is filled before it is attached, in one transaction, with deliveries and readers kept out of the whole table: a reader that
 * planned with the partitions from before would find moved rows in none of them, and a follower would never come back to their ids.
 * @returns false where it is there already
 */
async function createPartition(db: Database, dayMs: number): Promise<boolean> {
  const name = sql.identifier(partitionOf(dayMs));
  const [from, to] = [sql.raw(`'${iso(dayMs)}'::timestamptz`), sql.raw(`'${iso(dayMs + DAY_MS)}'::timestamptz`)];
  return db.transaction(async (tx) => {
    await lockTable(tx);
    if ((await partitionedDays(tx)).includes(dayMs)) return false;
    await tx.execute(sql`create table ${name} (like observations including defaults including indexes)`);
    // Says what attaching would otherwise read every row to find out.
    await tx.execute(sql`alter table ${name} add constraint day check (accepted_at >= ${from} and accepted_at < ${to})`);
    await tx.execute(sql`
      with moved as (delete from observations_default where accepted_at >= ${from} and accepted_at < ${to} returning *)
      insert into ${name} select * from moved`);
    await tx.execute(sql`alter table observations attach partition ${name} for values from (${from}) to (${to})`);
    await tx.execute(sql`alter table ${name} drop constraint day`);
    return true;
  });
}

/** Drops the partitions of days that are kept no longer. @returns their names */
export async function dropPartitions(db: Database, nowMs: number, { days }: RetentionPolicy): Promise<string[]> {
  const oldest = startOfDay(nowMs) - days * DAY_MS;
  const old = (await partitionedDays(db)).filter((day) => day < oldest);
  for (const day of old) {
    await db.transaction(async (tx) => {
      await lockTable(tx);
      await tx.execute(sql`drop table if exists ${sql.identifier(partitionOf(day))}`);
    });
  }
  return old.map(partitionOf);
}

/**
 * Deletes from the default partition what is kept no longer, some thousand rows a transaction. A row from the future has no age by its clock:
 * it has by its id, and goes when everything that was stored with it has gone.
 * @returns how many rows were deleted
 */
export async function pruneDefault(db: Database, nowMs: number, ahead: number, { days }: RetentionPolicy): Promise<number> {
  const today = startOfDay(nowMs);
  const oldest = sql`${iso(today - days * DAY_MS)}::timestamptz`;
  const future = sql`${iso(today + (ahead + 1) * DAY_MS)}::timestamptz`;
  const { rows } = await db.execute<{ id: string | null }>(
    sql`select min(id) as id from observations where accepted_at >= ${oldest} and accepted_at < ${future}`,
  );
  const firstKept = rows[0]!.id;
  const tooOld = sql`accepted_at < ${oldest}`;
  const expired = firstKept === null ? tooOld : sql`(${tooOld} or (accepted_at >= ${future} and id < ${firstKept}::bigint))`;
  let deleted = 0;
  for (;;) {
    const { rowCount } = await db.execute(sql`
      delete from observations_default where (id, accepted_at) in
        (select id, accepted_at from observations_default where ${expired} limit ${PRUNED_AT_ONCE})`);
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < PRUNED_AT_ONCE) return deleted;
  }
}

/** Deliveries first, as they take their locks in the same order. */
async function lockTable(tx: Transaction): Promise<void> {
  await tx.execute(sql`select set_config('lock_timeout', ${LOCK_TIMEOUT}, true)`);
  await tx.execute(sql`select pg_advisory_xact_lock(${DELIVERY_LOCK})`);
  await tx.execute(sql`lock table only observations in access exclusive mode`);
}

const iso = (ms: number) => new Date(ms).toISOString();
