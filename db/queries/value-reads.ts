/** What a value report is made from: requests by deployment, policy and tenant, and for how long replicas held accelerators. All added up in SQL. */
import { and, asc, gte, lt, min, sql } from 'drizzle-orm';
import type { HeldTime, HostTime, ServedPart } from '../../core/placement/value/types.ts';
import type { Executor } from '../client.ts';
import { hosts, observations, replicas } from '../schema/index.ts';
import { TRAFFIC } from './cost-reads.ts';

export interface Period {
  from: Date;
  until: Date;
}

/** Stands for the tenants beyond the most that are told apart: no tenant can be called so. */
export const OTHER_TENANTS = '(others)';

/**
 * Requests accepted from `from` until `until`, by deployment, policy and tenant, in the order of their names.
 * @param mostTenants so many are told apart, those with the most requests; the rest is added up under `OTHER_TENANTS`
 */
export async function servedBetween(db: Executor, { from, until }: Period, mostTenants: number): Promise<ServedPart[]> {
  const parts = db.$with('parts').as(
    db
      .select({
        ...{ deployment: observations.deployment, policy: observations.policy, tenant: observations.tenant },
        requests: TRAFFIC.requests.as('requests'),
        answered: TRAFFIC.answered.as('answered'),
        inputTokens: TRAFFIC.inputTokens.as('input_tokens'),
        outputTokens: TRAFFIC.outputTokens.as('output_tokens'),
        engineMs: TRAFFIC.engineMs.as('engine_ms'),
        judged: TRAFFIC.judged.as('judged'),
        attained: TRAFFIC.attained.as('attained'),
      })
      .from(observations)
      .where(and(gte(observations.acceptedAt, from), lt(observations.acceptedAt, until)))
      .groupBy(observations.deployment, observations.policy, observations.tenant),
  );
  const ranks = db.$with('ranks').as(
    db
      .select({
        ranked: sql<string>`${parts.tenant}`.as('ranked'),
        rank: sql<number>`row_number() over (order by sum(${parts.requests}) desc, ${parts.tenant})`.as('rank'),
      })
      .from(parts)
      .groupBy(parts.tenant),
  );
  const tenant = sql<string>`case when ${ranks.rank} <= ${mostTenants} then ${parts.tenant} else ${OTHER_TENANTS} end`.as('shown_tenant');
  const count = (column: unknown) => sql<number>`sum(${column})::int`;
  const amount = (column: unknown) => sql<number>`sum(${column})::float8`;
  return db
    .with(parts, ranks)
    .select({
      deployment: parts.deployment,
      policy: parts.policy,
      tenant,
      requests: count(parts.requests),
      answered: count(parts.answered),
      inputTokens: amount(parts.inputTokens),
      outputTokens: amount(parts.outputTokens),
      engineMs: amount(parts.engineMs),
      judged: count(parts.judged),
      attained: count(parts.attained),
    })
    .from(parts)
    .innerJoin(ranks, sql`${ranks.ranked} = ${parts.tenant}`)
    .groupBy(parts.deployment, parts.policy, sql`shown_tenant`)
    .orderBy(asc(parts.deployment), asc(parts.policy), sql`shown_tenant`);
}

/** How long accelerators were held in the period, by deployment, host and kind; replicas that ended in it among them. */
export async function heldBetween(db: Executor, { from, until }: Period): Promise<HeldTime[]> {
  const seconds = (start: unknown, end: unknown) => sql`extract(epoch from ${end} - ${start})`;
  const start = sql`greatest(${replicas.createdAt}, ${from})`;
  const end = sql`least(coalesce(${replicas.endedAt}, ${until}), ${until})`;
  // Of the deployment as a whole: since its first replica that the period has seen.
  const since = sql`greatest(min(min(${replicas.createdAt})) over (partition by ${replicas.deployment}), ${from})`;
  return db
    .select({
      deployment: replicas.deployment,
      host: replicas.host,
      acceleratorKind: replicas.acceleratorKind,
      simulated: sql<boolean>`bool_and(${replicas.simulated})`,
      acceleratorSeconds: sql<number>`sum(cardinality(${replicas.accelerators}) * ${seconds(start, end)})::float8`,
      seconds: sql<number>`${seconds(since, until)}::float8`,
    })
    .from(replicas)
    .where(and(lt(replicas.createdAt, until), sql`coalesce(${replicas.endedAt}, ${until}) > ${from}`))
    .groupBy(replicas.deployment, replicas.host, replicas.acceleratorKind)
    .orderBy(asc(replicas.deployment), asc(replicas.host), asc(replicas.acceleratorKind));
}

/** The hosts that are declared, and how long each has been in the period. */
export async function hostsBetween(db: Executor, { from, until }: Period): Promise<HostTime[]> {
  const rows = await db
    .select({ spec: hosts.spec, createdAt: hosts.createdAt })
    .from(hosts)
    .where(lt(hosts.createdAt, until))
    .orderBy(asc(hosts.name));
  return rows.map(({ spec, createdAt }) => ({
    host: spec.name,
    external: spec.external !== undefined,
    seconds: (until.getTime() - Math.max(from.getTime(), createdAt.getTime())) / 1000,
    accelerators: spec.accelerators,
    fixedUsdPerMonth: spec.fixedUsdPerMonth ?? 0,
  }));
}

/** When the oldest observation that is kept was accepted; null without any. */
export async function observedSince(db: Executor): Promise<Date | null> {
  const [row] = await db.select({ since: min(observations.acceptedAt) }).from(observations);
  return row?.since ?? null;
}
