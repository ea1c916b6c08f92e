/**
 * The history of arrivals, which outlives the observations that it is made from: each observation is added to its quarter of an hour once, by
 * its id, however late it was delivered. Sums of whole deployments, of nobody's requests.
 */
import { inArray, lt, sql } from 'drizzle-orm';
import { type ArrivalBucket, HISTORY_BUCKET_MS } from '../../core/placement/forecast/arrivals.ts';
import { SILENT_AFTER_MS } from '../../core/placement/forecast/recent.ts';
import { HISTORY_DAYS } from '../../core/placement/forecast/season.ts';
import type { Database, Executor, Transaction } from '../client.ts';
import { arrivalHistory, arrivalHistoryProgress, deployments, gatewayLeases, observations } from '../schema/index.ts';

const DAY_MS = 86_400_000;
const KEPT_MS = (HISTORY_DAYS + 1) * DAY_MS;
/** A transaction adds at most so many observations: a first run over all that are kept should hold nothing for long. */
const ADDED_AT_ONCE = 200_000;
/** A bucket that ended so long ago and of which nobody told is one in which nothing came. */
const ZERO_AFTER_MS = 60_000;

/** The level may be from so long before the moment; a rate is told from the buckets around its time. */
const BEFORE_MS = 30 * 60_000 + HISTORY_BUCKET_MS;
/** Of today only whether there was traffic is asked, and how long its requests were. */
const TODAY_MS = 2 * 3_600_000;

const width = sql.raw(String(HISTORY_BUCKET_MS / 1000));

/**
 * Adds what was stored since it was last called, writes zeros where nothing came and somebody would have told of it, and forgets what forecasts
 * look at no longer. Called again it changes nothing; several callers wait for each other.
 * @returns how many observations were added
 */
export async function recordArrivals(db: Database, nowMs: number): Promise<number> {
  await db
    .insert(arrivalHistoryProgress)
    .values({ id: 1, throughId: 0, zeroedThrough: new Date(0) })
    .onConflictDoNothing();
  const added = await addAll(db, nowMs);
  await db.transaction((tx) => addZeros(tx, nowMs));
  await db.delete(arrivalHistory).where(lt(arrivalHistory.bucketStart, new Date(nowMs - KEPT_MS)));
  return added;
}

/** In the order of their ids, which become visible in that order. */
async function addAll(db: Database, nowMs: number): Promise<number> {
  for (let added = 0; ; ) {
    const batch = await db.transaction(async (tx) => {
      const { throughId } = await lockProgress(tx);
      const { rows } = await tx.execute<{ last: number }>(sql`select coalesce(max(id), 0)::float8 as last from ${observations}`);
      const last = rows[0]!.last;
      const through = Math.min(last, throughId + ADDED_AT_ONCE);
      if (through <= throughId) return null;
      const count = await addArrivals(tx, { after: throughId, through, nowMs });
      await tx.update(arrivalHistoryProgress).set({ throughId: through });
      return { count, last: through === last };
    });
    added += batch?.count ?? 0;
    if (!batch || batch.last) return added;
  }
}

/** Whose clock is far off is in no bucket. */
async function addArrivals(tx: Transaction, { after, through, nowMs }: { after: number; through: number; nowMs: number }): Promise<number> {
  const { rows } = await tx.execute<{ count: number }>(sql`
    with counted as (
      select date_bin('${width} s', accepted_at, 'epoch') as bucket_start, deployment, count(*) as arrivals,
        sum(input_tokens) as input_tokens, sum(input_tokens::float8 * input_tokens) as input_squares, count(output_tokens) as answers,
        coalesce(sum(output_tokens), 0) as output_tokens, coalesce(sum(output_tokens::float8 * output_tokens), 0) as output_squares
      from ${observations}
      where id > ${after} and id <= ${through} and accepted_at >= ${iso(nowMs - KEPT_MS)} and accepted_at < ${iso(nowMs + HISTORY_BUCKET_MS)}
      group by 1, 2
    ), added as (
      insert into ${arrivalHistory} as h
        (bucket_start, deployment, arrivals, input_tokens, input_squares, answers, output_tokens, output_squares) select * from counted
      on conflict (bucket_start, deployment) do update set arrivals = h.arrivals + excluded.arrivals,
        input_tokens = h.input_tokens + excluded.input_tokens, input_squares = h.input_squares + excluded.input_squares,
        answers = h.answers + excluded.answers, output_tokens = h.output_tokens + excluded.output_tokens,
        output_squares = h.output_squares + excluded.output_squares
    )
    select coalesce(sum(arrivals), 0)::float8 as count from counted`);
  return rows[0]!.count;
}

/**
 * A bucket is known where anything arrived for anybody, or where some gateway held its lease without a break. Of a gateway that is gone since
 * nothing tells: what it was there for stays unknown.
 */
async function addZeros(tx: Transaction, nowMs: number): Promise<void> {
  const { zeroedThrough } = await lockProgress(tx);
  const fromMs = Math.max(zeroedThrough.getTime(), startOfBucket(nowMs - KEPT_MS));
  const toMs = startOfBucket(nowMs - ZERO_AFTER_MS);
  if (toMs <= fromMs) return;
  await tx.execute(sql`
    insert into ${arrivalHistory} (bucket_start, deployment)
    select known.bucket_start, begun.deployment
    from (select deployment, min(bucket_start) as since from ${arrivalHistory} group by deployment) begun
    join ${deployments} d on d.name = begun.deployment
    join (
      select distinct bucket_start from ${arrivalHistory} where bucket_start >= ${iso(fromMs)} and bucket_start < ${iso(toMs)}
      union
      select b from generate_series(${iso(fromMs)}::timestamptz, ${iso(toMs - HISTORY_BUCKET_MS)}::timestamptz, interval '${width} s') b
      where exists (select from ${gatewayLeases} where started_at <= b
        and renewed_at >= b + interval '${width} s' - ${SILENT_AFTER_MS} * interval '1 ms')
    ) known on known.bucket_start > begun.since
    on conflict do nothing`);
  await tx.update(arrivalHistoryProgress).set({ zeroedThrough: new Date(toMs) });
}

async function lockProgress(tx: Transaction): Promise<typeof arrivalHistoryProgress.$inferSelect> {
  const [progress] = await tx.select().from(arrivalHistoryProgress).for('update');
  return progress!;
}

const iso = (ms: number) => new Date(ms).toISOString();
const startOfBucket = (ms: number) => Math.floor(ms / HISTORY_BUCKET_MS) * HISTORY_BUCKET_MS;

/**
 * What forecasts read: of each of the last days the buckets around the time of the day from `nowMs` to `horizonMs` after it, and of today those
 * of the last hours. Absent buckets are unknown.
 */
export async function arrivalHistoryAround(
  db: Executor,
  nowMs: number,
  horizonMs: number,
): Promise<(ArrivalBucket & { deployment: string })[]> {
  const today = bucketsFrom(nowMs - TODAY_MS, nowMs);
  const ofADay = bucketsFrom(nowMs - BEFORE_MS, nowMs + horizonMs + HISTORY_BUCKET_MS);
  const earlier = Array.from({ length: HISTORY_DAYS }, (_, i) => ofADay.map((start) => start - (i + 1) * DAY_MS)).flat();
  const rows = await db
    .select()
    .from(arrivalHistory)
    .where(
      inArray(
        arrivalHistory.bucketStart,
        [...today, ...earlier].map((ms) => new Date(ms)),
      ),
    );
  return rows.map((row) => ({
    deployment: row.deployment,
    bucketStartMs: row.bucketStart.getTime(),
    arrivals: row.arrivals,
    input: { requests: row.arrivals, tokens: row.inputTokens, squares: row.inputSquares },
    output: { requests: row.answers, tokens: row.outputTokens, squares: row.outputSquares },
  }));
}

function bucketsFrom(fromMs: number, toMs: number): number[] {
  const starts: number[] = [];
  for (let start = startOfBucket(fromMs); start < toMs; start += HISTORY_BUCKET_MS) starts.push(start);
  return starts;
}
