/** The evidence of a canary: what the requests of the new revision came to, beside those of the others. */
import { sql } from 'drizzle-orm';
import type { AboveQuantile, CanaryEvidence, QuantileEvidence, SideEvidence } from '../../core/profiler/monitor/canary-analysis.ts';
import type { Executor } from '../client.ts';
import { observations, replicas } from '../schema/index.ts';
import { LEASE_LIFETIME_MS, liveLeases } from './leases.ts';

/** Which requests are compared: by when they were accepted. */
export interface ComparedWindow {
  deployment: string;
  revision: number;
  /** The new revision's from here on, Unix time, ms. */
  sinceMs: number;
  /** The others' of a time before, where they have none now; else those since `sinceMs`. */
  before?: { sinceMs: number; untilMs: number };
  /** Share of the traffic that the new revision should have, 0 to 1; null where the others have none. */
  share: number | null;
}

const QUANTILES = [0.5, 0.9] as const;

/** A few queries, each over the window only. Requests that clients cancelled say nothing of how they would have ended. */
export async function canaryEvidence(db: Executor, window: ComparedWindow): Promise<CanaryEvidence> {
  return { ...(await sides(db, window)), share: window.share, quantiles: await quantiles(db, window) };
}

/** Observations of both sides, as `o`. */
function compared({ deployment, revision, sinceMs, before }: ComparedWindow) {
  const since = new Date(sinceMs).toISOString();
  const [from, until] = before ? [new Date(before.sinceMs).toISOString(), new Date(before.untilMs).toISOString()] : [since, 'infinity'];
  return sql`select o.*, o.revision = ${revision} as canary from ${observations} o
    where o.deployment = ${deployment} and o.revision is not null and o.accepted_at >= least(${since}::timestamptz, ${from}::timestamptz)
      and case when o.revision = ${revision} then o.accepted_at >= ${since}::timestamptz
        else o.accepted_at >= ${from}::timestamptz and o.accepted_at < ${until}::timestamptz end`;
}

async function sides(db: Executor, window: ComparedWindow): Promise<{ canary: SideEvidence; stable: SideEvidence }> {
  const { rows: ended } = await db.execute<{ canary: boolean; requests: number; failed: number; attained: number; sent: number }>(sql`
    select canary, (count(*) filter (where outcome in ('ok', 'failed')))::int as requests,
      (count(*) filter (where outcome = 'failed'))::int as failed,
      (count(*) filter (where outcome = 'ok' and attained))::int as attained, count(*)::int as sent
    from (${compared(window)}) as compared group by canary`);
  const { rows: serving } = await db.execute<{ id: string; canary: boolean; capacity: number | null }>(sql`
    select id, revision = ${window.revision} as canary, capacity_requests_per_second as capacity
    from ${replicas} where deployment = ${window.deployment} and ended_at is null and state = 'ready'`);
  const leases = await liveLeases(db, LEASE_LIFETIME_MS);
  const isEveryCapacityKnown = serving.every((r) => r.capacity !== null && r.capacity > 0);
  const side = (canary: boolean): SideEvidence => {
    const { requests = 0, failed = 0, attained = 0, sent = 0 } = ended.find((row) => row.canary === canary) ?? {};
    const own = serving.filter((r) => r.canary === canary);
    const open = own.reduce((sum, { id }) => sum + leases.reduce((n, lease) => n + (lease.inFlight[id] ?? 0), 0), 0);
    const capacity = own.reduce((sum, r) => sum + (isEveryCapacityKnown ? r.capacity! : 1), 0);
    const started = sent + (window.before && !canary ? 0 : open);
    return { requests, failed, attained, started, load: capacity > 0 ? started / capacity : 0 };
  };
  return { canary: side(true), stable: side(false) };
}

/**
 * Quantiles of both sides on the shapes (kind of accelerator, tensor parallelism) that both have, each request held against the quantile of
 * its own shape. The time to the first token counts from the release to the engine.
 */
async function quantiles(db: Executor, window: ComparedWindow): Promise<QuantileEvidence[]> {
  interface Row extends Record<string, unknown> {
    metric: 'TTFT' | 'TPOT';
    canary: boolean;
    requests: number;
    p50: number;
    p90: number;
    above50: number;
    above90: number;
  }
  const { rows } = await db.execute<Row>(sql`
    with measured as (
      select canary, r.accelerator_kind, r.tensor_parallel, l.metric, l.ms
      from (${compared(window)}) as o join ${replicas} r on r.id = o.replica_id
        cross join lateral (values ('TTFT', o.ttft_ms - coalesce(o.queue_ms, 0)), ('TPOT', o.tpot_ms)) as l(metric, ms)
      where o.outcome = 'ok' and o.streamed and l.ms is not null
    ), cut as (
      select metric, accelerator_kind, tensor_parallel,
        percentile_disc(0.5) within group (order by ms) as p50, percentile_disc(0.9) within group (order by ms) as p90
      from measured group by 1, 2, 3 having bool_or(canary) and bool_or(not canary)
    )
    select metric, canary, count(*)::int as requests,
      (percentile_disc(0.5) within group (order by ms))::float8 as p50, (percentile_disc(0.9) within group (order by ms))::float8 as p90,
      (count(*) filter (where ms > cut.p50))::int as above50, (count(*) filter (where ms > cut.p90))::int as above90
    from measured join cut using (metric, accelerator_kind, tensor_parallel)
    group by metric, canary`);
  const of = (row: Row, quantile: (typeof QUANTILES)[number]): AboveQuantile => ({
    requests: row.requests,
    above: quantile === 0.5 ? row.above50 : row.above90,
    ms: quantile === 0.5 ? row.p50 : row.p90,
  });
  return (['TTFT', 'TPOT'] as const).flatMap((metric) => {
    const canary = rows.find((r) => r.metric === metric && r.canary);
    const stable = rows.find((r) => r.metric === metric && !r.canary);
    if (!canary || !stable) return [];
    return QUANTILES.map((quantile) => ({ metric, quantile, canary: of(canary, quantile), stable: of(stable, quantile) }));
  });
}
