/** Observations as gateways deliver them and as the profiler follows them. */
import { asc, gt, sql } from 'drizzle-orm';
import type { Observation } from '../../core/domain/observation.ts';
import type { Executor } from '../client.ts';
import { observations } from '../schema/index.ts';

/** NOTIFY channel, without a payload: there is something new to learn from. */
export const OBSERVATIONS_CHANNEL = 'uellm_observations';

/** Serialises deliveries, so that ids become visible in their own order and a follower that has seen id N has seen all below it. */
const DELIVERY_LOCK = 0x6f62_7376; // 'obsv'

/**
 * Stores a batch. Delivering a request again changes nothing: the first delivery of a `requestId` counts.
 * @returns how many were new
 */
export async function insertObservations(db: Executor, batch: readonly Observation[]): Promise<number> {
  if (batch.length === 0) return 0;
  const rows = batch.map(({ acceptedAtMs, ...rest }) => ({ ...rest, acceptedAt: new Date(acceptedAtMs) }));
  return db.transaction(async (tx) => {
    // Whoever stops in the middle must not hold up the others.
    await tx.execute(sql`set local idle_in_transaction_session_timeout = '5s'`);
    await tx.execute(sql`select pg_advisory_xact_lock(${DELIVERY_LOCK})`);
    const inserted = await tx
      .insert(observations)
      .values(rows)
      .onConflictDoNothing({ target: observations.requestId })
      .returning({ id: observations.id });
    if (inserted.length > 0) await tx.execute(sql`select pg_notify(${OBSERVATIONS_CHANNEL}, '')`);
    return inserted.length;
  });
}

/** The next `limit` observations after the one with this id, in the order of their ids. None is ever skipped. */
export async function observationsAfter(db: Executor, id: number, limit: number): Promise<(Observation & { id: number })[]> {
  const rows = await db.select().from(observations).where(gt(observations.id, id)).orderBy(asc(observations.id)).limit(limit);
  return rows.map(({ acceptedAt, outcome, ...rest }) => ({
    ...rest,
    outcome: outcome as Observation['outcome'],
    acceptedAtMs: acceptedAt.getTime(),
  }));
}
