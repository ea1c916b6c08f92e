/** Attainment over time, counted where the observations are: as many rows as there are steps and policies, however many requests there were. */
import { and, eq, gte, isNotNull, lt, type SQL, sql } from 'drizzle-orm';
import { FALLBACK_POLICY } from '../../core/domain/slo-policy.ts';
import type { Executor } from '../client.ts';
import { observations, sloPolicies } from '../schema/index.ts';

/** Which observations are counted. */
export interface ObservationFilter {
  policy?: string | undefined;
  deployment?: string | undefined;
  /** null for all. */
  tenant: string | null;
}

export interface CountedStep {
  policy: string;
  startMs: number;
  /** All but those that their client cancelled. */
  requests: number;
  attained: number;
}

export interface BurnCounts {
  policy: string;
  /** Of the last hour. */
  fast: { requests: number; missed: number };
  /** Of the last six hours. */
  slow: { requests: number; missed: number };
}

/** More policies than these nobody tells apart in one chart: those with the most requests are counted. */
const MOST_POLICIES = 20;

export function observedBetween(since: Date, until: Date, { policy, deployment, tenant }: ObservationFilter): SQL | undefined {
  return and(
    gte(observations.acceptedAt, since),
    lt(observations.acceptedAt, until),
    policy === undefined ? undefined : eq(observations.policy, policy),
    deployment === undefined ? undefined : eq(observations.deployment, deployment),
    tenant === null ? undefined : eq(observations.tenant, tenant),
  );
}

/** Start of the step that a request was accepted in. In whole timestamps: numbers of arbitrary precision take three times as long. */
function stepOf(stepSeconds: number): SQL {
  return sql.raw(`date_bin('${stepSeconds} seconds', accepted_at, 'epoch')`);
}

/** The same, Unix time in ms. */
export const stepMs = (step: SQL) => sql<number>`(extract(epoch from ${step}) * 1000)::float8`;

/** Steps without requests are left out; policies by name, each oldest first. */
export async function attainmentSteps(
  db: Executor,
  { since, until, stepSeconds, filter }: { since: Date; until: Date; stepSeconds: number; filter: ObservationFilter },
): Promise<CountedStep[]> {
  const { rows } = await db.execute<{ policy: string; start_ms: number; requests: number; attained: number }>(sql`
    with counted as (
      select ${observations.policy} as policy, ${stepOf(stepSeconds)} as step, count(*)::int as requests,
        (count(*) filter (where ${observations.attained}))::int as attained
      from ${observations} where ${and(observedBetween(since, until, filter), isNotNull(observations.attained))} group by 1, 2
    ), busiest as (select policy from counted group by policy order by sum(requests) desc, policy limit ${MOST_POLICIES})
    select policy, ${stepMs(sql`step`)} as start_ms, requests, attained from counted join busiest using (policy) order by policy, step`);
  return rows.map(({ start_ms, ...row }) => ({ ...row, startMs: start_ms }));
}

const HOUR_MS = 3_600_000;
const SLOW_HOURS = 6;

/** What burn rates are reckoned from: a fast window that notices an outage, and a slow one that notices a leak. */
export async function burnCounts(db: Executor, now: Date, filter: ObservationFilter): Promise<BurnCounts[]> {
  const lastHour = gte(observations.acceptedAt, new Date(now.getTime() - HOUR_MS));
  const missed = sql`not ${observations.attained}`;
  const rows = await db
    .select({
      policy: observations.policy,
      fastRequests: sql<number>`(count(*) filter (where ${lastHour}))::int`,
      fastMissed: sql<number>`(count(*) filter (where ${lastHour} and ${missed}))::int`,
      slowRequests: sql<number>`count(*)::int`,
      slowMissed: sql<number>`(count(*) filter (where ${missed}))::int`,
    })
    .from(observations)
    .where(and(observedBetween(new Date(now.getTime() - SLOW_HOURS * HOUR_MS), now, filter), isNotNull(observations.attained)))
    .groupBy(observations.policy);
  return rows.map(({ policy, fastRequests, fastMissed, slowRequests, slowMissed }) => ({
    policy,
    fast: { requests: fastRequests, missed: fastMissed },
    slow: { requests: slowRequests, missed: slowMissed },
  }));
}

/** What each policy in force asks for, by name; the fallback among them. */
export async function targetAttainments(db: Executor): Promise<Map<string, number>> {
  const attainment = sql<number>`(${sloPolicies.spec}->'targets'->>'attainment')::float8`;
  const rows = await db.select({ name: sloPolicies.name, attainment }).from(sloPolicies);
  return new Map([[FALLBACK_POLICY.name, FALLBACK_POLICY.targets.attainment], ...rows.map((r) => [r.name, r.attainment] as const)]);
}
