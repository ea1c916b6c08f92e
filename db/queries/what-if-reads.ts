/** What a what-if replays: observations as they came, at most so many, in contiguous stretches where there are more. */
import { and, asc, gte, lt, type SQL, sql } from 'drizzle-orm';
import type { RecordedRequest, Stretch } from '../../core/simulator/replay.ts';
import type { Executor } from '../client.ts';
import { observations } from '../schema/index.ts';
import { filteredBy } from './page.ts';

/** A sample has one stretch of each of so many equal parts of the time. */
const PARTS = 12;

export interface Recorded {
  /** All that there are in that time. */
  observed: number;
  stretches: Stretch[];
}

/**
 * Observations accepted from `fromMs` until `untilMs` (Unix time, ms): all of them as one stretch, or, where there are more than `most`, from
 * the start of each part as many as its share of all. A busy part thus counts for as much as it did.
 * @param deployment whose alone
 */
export async function recordedStretches(
  db: Executor,
  { fromMs, untilMs, most, deployment }: { fromMs: number; untilMs: number; most: number; deployment?: string },
): Promise<Recorded> {
  const counts = await countByPart(db, fromMs, untilMs, deployment);
  const observed = counts.reduce((sum, count) => sum + count, 0);
  if (observed === 0) return { observed, stretches: [] };
  if (observed <= most) return { observed, stretches: [await stretchOf(db, fromMs, untilMs, observed, deployment)] };
  const width = (untilMs - fromMs) / PARTS;
  const stretches: Stretch[] = [];
  for (const [part, count] of counts.entries()) {
    const limit = Math.floor((most * count) / observed);
    if (limit > 0) stretches.push(await stretchOf(db, fromMs + part * width, fromMs + (part + 1) * width, limit, deployment));
  }
  return { observed, stretches };
}

async function countByPart(db: Executor, fromMs: number, untilMs: number, deployment?: string): Promise<number[]> {
  const counts = new Array<number>(PARTS).fill(0);
  const part = sql.raw(
    `least(${PARTS - 1}, floor((extract(epoch from accepted_at) - ${fromMs / 1000}) * ${PARTS} / ${(untilMs - fromMs) / 1000}))`,
  );
  const rows = await db
    .select({ part: sql<number>`${part}::int`, count: sql<number>`count(*)::int` })
    .from(observations)
    .where(between(fromMs, untilMs, deployment))
    .groupBy(part);
  for (const row of rows) counts[Math.max(0, row.part)]! += row.count;
  return counts;
}

async function stretchOf(db: Executor, fromMs: number, untilMs: number, limit: number, deployment?: string): Promise<Stretch> {
  const o = observations;
  const rows = await db
    .select({
      acceptedAt: o.acceptedAt,
      model: o.model,
      deployment: o.deployment,
      tenant: o.tenant,
      class: o.class,
      policy: o.policy,
      outcome: o.outcome,
      inputTokens: o.inputTokens,
      outputTokens: o.outputTokens,
      predictedOutputP50: o.predictedOutputP50,
      predictedOutputP90: o.predictedOutputP90,
      queueMs: o.queueMs,
      ttftMs: o.ttftMs,
      tpotMs: o.tpotMs,
      e2eMs: o.e2eMs,
      attained: o.attained,
    })
    .from(o)
    .where(between(fromMs, untilMs, deployment))
    .orderBy(asc(o.acceptedAt), asc(o.id))
    .limit(limit + 1);
  const requests = rows.slice(0, limit).map(
    ({ acceptedAt, outcome, ...row }): RecordedRequest => ({
      ...row,
      outcome: outcome as RecordedRequest['outcome'],
      acceptedAtMs: acceptedAt.getTime(),
    }),
  );
  return { fromMs, untilMs: rows.length > limit ? requests.at(-1)!.acceptedAtMs : untilMs, requests };
}

const between = (fromMs: number, untilMs: number, deployment: string | undefined) =>
  and(
    gte(observations.acceptedAt, new Date(fromMs)),
    lt(observations.acceptedAt, new Date(untilMs)),
    filteredBy(observations.deployment, deployment),
  );

export interface RequestCounts {
  answered: number;
  /** By their clients. */
  cancelled: number;
  /** Of the answered ones, those of known length whose length was predicted. */
  predicted: number;
  /** Of those, the ones at most as long as their predicted p90. */
  withinP90: number;
}

/** Of the requests of a deployment that were accepted in that time. */
export async function countRequests(
  db: Executor,
  { fromMs, untilMs, deployment }: { fromMs: number; untilMs: number; deployment: string },
): Promise<RequestCounts> {
  const o = observations;
  const isPredicted = sql`${o.outcome} = 'ok' and ${o.outputTokens} is not null and ${o.predictedOutputP90} is not null`;
  const counted = (where: SQL) => sql<number>`(count(*) filter (where ${where}))::int`;
  const [row] = await db
    .select({
      answered: counted(sql`${o.outcome} = 'ok'`),
      cancelled: counted(sql`${o.outcome} = 'cancelled'`),
      predicted: counted(isPredicted),
      withinP90: counted(sql`${isPredicted} and ${o.outputTokens} <= ${o.predictedOutputP90}`),
    })
    .from(o)
    .where(between(fromMs, untilMs, deployment));
  return row!;
}
