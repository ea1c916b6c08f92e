/** Observations as gateways deliver them and as the profiler follows them. */
import { asc, desc, getTableColumns, gt, lte, type SQL, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import { NOT_LEARNED_FROM, type Observation } from '../../core/domain/observation.ts';
import type { Executor } from '../client.ts';
import { observations, tenants, tenantUsage } from '../schema/index.ts';

/** NOTIFY channel, without a payload: there is something new to learn from. */
export const OBSERVATIONS_CHANNEL = 'uellm_observations';

/** Serialises deliveries, so that ids become visible in their own order and a follower that has seen id N has seen all below it. */
export const DELIVERY_LOCK = 0x6f62_7376; // 'obsv'

const LATEST_MS = Date.UTC(9999, 11, 31);

/** Field → column, of all but the id, which the sequence gives; and is it an integer? */
const COLUMNS = Object.entries(getTableColumns(observations))
  .filter(([field]) => field !== 'id')
  .map(([field, column]) => [field, toSnakeCase(field), column.getSQLType() === 'integer'] as const);
const columnList = sql.join(
  COLUMNS.map(([, column]) => sql.identifier(column)),
  sql`, `,
);
/** What a tenant does not allow now is not stored, though a gateway took it down before it heard so, and spooled it perhaps for hours. */
const ALLOWED: Partial<Record<string, SQL>> = {
  features: sql`case when tenant in (select name from strict) then null else features end`,
  feature_key: sql`case
    when tenant in (select name from strict where allows = 'off') then ${NOT_LEARNED_FROM}
    when tenant in (select name from strict) and feature_key <> ${NOT_LEARNED_FROM} then null
    else feature_key end`,
};
const allowedColumns = sql.join(
  COLUMNS.map(([, column]) => ALLOWED[column] ?? sql.identifier(column)),
  sql`, `,
);

/**
 * Stores a batch. Delivering a request again changes nothing: the first delivery of a `requestId` counts.
 * @returns how many were new
 */
export async function insertObservations(db: Executor, batch: readonly Observation[]): Promise<number> {
  if (batch.length === 0) return 0;
  // One parameter for all rows: with one for each field, Postgres and its client spend most of the time on parameters.
  const rows = JSON.stringify(batch.map(toRow));
  return db.transaction(async (tx) => {
    // Whoever stops in the middle must not hold up the others.
    await tx.execute(sql`set local idle_in_transaction_session_timeout = '5s'`);
    await tx.execute(sql`select pg_advisory_xact_lock(${DELIVERY_LOCK})`);
    // Each tenant's sums of the day go with its rows: what is delivered twice is counted once.
    const { rows: counted } = await tx.execute<{ stored: number }>(sql`
      with strict as (
        select name, spec->>'features' as allows from ${tenants} where spec->>'features' <> 'full'
      ), stored as (
        insert into ${observations} (${columnList}) select ${allowedColumns} from json_populate_recordset(null::observations, ${rows}::json)
        on conflict (request_id, accepted_at) do nothing returning tenant, accepted_at, replica_id, input_tokens, output_tokens
      ), summed as (
        insert into ${tenantUsage} as u (tenant, day, requests, input_tokens, output_tokens)
        select tenant, (accepted_at at time zone 'UTC')::date, count(*), ${sumServed(sql`input_tokens`)}, ${sumServed(sql`output_tokens`)}
        from stored group by 1, 2
        on conflict (tenant, day) do update set requests = u.requests + excluded.requests,
          input_tokens = u.input_tokens + excluded.input_tokens, output_tokens = u.output_tokens + excluded.output_tokens
      ) select count(*)::int as stored from stored`);
    const { stored } = counted[0]!;
    if (stored > 0) await tx.execute(sql`select pg_notify(${OBSERVATIONS_CHANNEL}, '')`);
    return stored;
  });
}

/** What no engine has seen took nothing. As `tokensServed` of the domain says. */
const sumServed = (tokens: SQL) => sql`coalesce(sum(${tokens}) filter (where replica_id is not null), 0)`;

/** As `json_populate_recordset` reads it: columns by their names, bytes in Postgres' hexadecimal form. */
function toRow({ acceptedAtMs, features, ...fields }: Observation): Record<string, unknown> {
  const stored: Record<string, unknown> = {
    ...fields,
    acceptedAt: storableTime(acceptedAtMs),
    features: features ? `\\x${Buffer.from(features, 'base64').toString('hex')}` : null,
  };
  const row: Record<string, unknown> = {};
  for (const [field, column, isInteger] of COLUMNS) row[column] = storable(stored[field], isInteger);
  return row;
}

const MAX_INTEGER = 2 ** 31 - 1;
/** What Postgres has no place for in a text. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** The nearest that Postgres takes: no length that a client asks for or an engine claims, however absurd, may cost a batch. */
function storable(value: unknown, isInteger: boolean): unknown {
  if (typeof value === 'number' && isInteger) return Math.min(MAX_INTEGER, Math.max(-MAX_INTEGER, Math.round(value)));
  return typeof value === 'string' ? value.replace(UNSTORABLE, '\uFFFD') : value;
}

/** The next time there is that Postgres reads as JavaScript writes it (from 1970 to 9999): no clock, however far off, may cost a batch. */
function storableTime(ms: number): Date {
  return new Date(Math.min(LATEST_MS, Math.max(0, ms)));
}

/** How many observations came after the one with this id; counts no further than `most`. */
export async function countObservationsAfter(db: Executor, id: number, most: number): Promise<number> {
  const some = db.select({ id: observations.id }).from(observations).where(gt(observations.id, id)).limit(most).as('some');
  const [row] = await db.select({ count: sql<number>`count(*)::int` }).from(some);
  return row!.count;
}

/** The next `limit` observations after the one with this id, in the order of their ids. None is ever skipped. */
export async function observationsAfter(db: Executor, id: number, limit: number): Promise<(Observation & { id: number })[]> {
  const rows = await db.select().from(observations).where(gt(observations.id, id)).orderBy(asc(observations.id)).limit(limit);
  return rows.map(toObservation);
}

/** The last `limit` observations up to the one with this id, it included, in the order of their ids. */
export async function observationsThrough(db: Executor, id: number, limit: number): Promise<(Observation & { id: number })[]> {
  const rows = await db.select().from(observations).where(lte(observations.id, id)).orderBy(desc(observations.id)).limit(limit);
  return rows.reverse().map(toObservation);
}

/** Id of the observation before the newest `count`; 0 where there are no more than that. */
export async function idBefore(db: Executor, count: number): Promise<number> {
  const [row] = await db.select({ id: observations.id }).from(observations).orderBy(desc(observations.id)).offset(count).limit(1);
  return row?.id ?? 0;
}

function toObservation({ acceptedAt, outcome, ...rest }: typeof observations.$inferSelect): Observation & { id: number } {
  return { ...rest, outcome: outcome as Observation['outcome'], acceptedAtMs: acceptedAt.getTime() };
}
