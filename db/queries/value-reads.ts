/** What a value report is made from: requests by deployment, policy and tenant, and for how long replicas held accelerators. All added up in SQL. */
import { and, asc, gte, lt, min, type SQL, sql } from 'drizzle-orm';
import type { HostSpec } from '../../core/domain/fleet.ts';
import type { HeldTime, HostTime, ServedPart } from '../../core/placement/value/types.ts';
import type { Executor } from '../client.ts';
import { audit, hosts, observations, replicas } from '../schema/index.ts';
import { CATALOG_KIND } from './catalog-prices.ts';
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

/**
 * Hosts as they were declared, with the catalog's prices beside: from each change of either until the next, as the audit trail has them. A
 * declaration is written there in its own transaction. What was before the trail began is as it was first, or is now. Unix times are ms.
 */
const DECLARATIONS = sql`
  with changes as (
    select a.id, a.name, a.at, a.after as spec from ${audit} a where ${isOfHost(sql`a`)}
    union all
    select 0, h.name, h.created_at, h.spec from ${hosts} h where not exists (select from ${audit} a where ${isOfHost(sql`a`)} and a.name = h.name)
  ), declared as (
    select name, spec, at as since, lead(at, 1, 'infinity') over (partition by name order by id) as until from changes
  ), catalogs as (
    select a.after as prices, a.at, row_number() over each = 1 as is_first,
      lead(a.at, 1, 'infinity') over each as until
    from ${audit} a where a.kind = ${CATALOG_KIND} window each as (order by a.id)
  ), declarations as (
    select d.name, d.spec, c.prices as catalog, greatest(d.since, case when not c.is_first then c.at end) as since, least(d.until, c.until) as until,
      row_number() over (partition by d.name order by d.since, c.at) = 1 as is_first
    from declared d left join catalogs c on c.until > d.since and (c.is_first or c.at < d.until)
  )`;

function isOfHost(row: SQL): SQL {
  return sql`${row}.kind = 'hosts' and ${row}.action in ('create', 'replace', 'delete')`;
}

const declaredAtMs = sql`(extract(epoch from d.since) * 1000)::float8`;

/** How long accelerators were held in the period, by deployment, host, kind and what the host was declared to be; replicas that ended in it among them. */
export async function heldBetween(db: Executor, { from, until }: Period): Promise<HeldTime[]> {
  const [start, end] = [sql`${from.toISOString()}::timestamptz`, sql`${until.toISOString()}::timestamptz`];
  const { rows } = await db.execute<Pick<HeldTime, keyof HeldTime>>(sql`
    ${DECLARATIONS}, held as (
      select r.*, greatest(r.created_at, ${start}) as held_from, least(coalesce(r.ended_at, ${end}), ${end}) as held_until,
        -- Of the deployment as a whole: since its first replica that the period has seen.
        greatest(min(r.created_at) over (partition by r.deployment), ${start}) as deployed_from
      from ${replicas} r where r.created_at < ${end} and coalesce(r.ended_at, ${end}) > ${start}
    )
    select h.deployment, h.host, h.accelerator_kind as "acceleratorKind", bool_and(h.simulated) as simulated,
      sum(cardinality(h.accelerators) * extract(epoch from least(held_until, d.until) - greatest(held_from,
        case when d.is_first then '-infinity' else d.since end)))::float8 as "acceleratorSeconds",
      extract(epoch from ${end} - min(h.deployed_from))::float8 as seconds, ${declaredAtMs} as "declaredAtMs"
    from held h left join declarations d
      on d.name = h.host and d.spec is not null and d.until > h.held_from and (d.is_first or d.since < h.held_until)
    group by h.deployment, h.host, h.accelerator_kind, d.since
    order by h.deployment, h.host, h.accelerator_kind, d.since`);
  return rows;
}

/** Hosts as they were declared in the period, and for how long each was so. */
export async function hostsBetween(db: Executor, { from, until }: Period): Promise<HostTime[]> {
  const [start, end] = [sql`${from.toISOString()}::timestamptz`, sql`${until.toISOString()}::timestamptz`];
  const { rows } = await db.execute<{ spec: HostSpec } & Pick<HostTime, 'catalog' | 'declaredAtMs' | 'seconds'>>(sql`
    ${DECLARATIONS}
    select d.spec, d.catalog, ${declaredAtMs} as "declaredAtMs", greatest(0, extract(epoch from least(d.until, ${end}) - greatest(d.since, ${start})))::float8 as seconds
    from declarations d where d.spec is not null and d.until > ${start} and (d.is_first or d.since < ${end}) order by d.name, d.since`);
  return rows.map(({ spec, ...time }) => ({
    ...time,
    host: spec.name,
    external: spec.external !== undefined,
    accelerators: spec.accelerators,
    fixedUsdPerMonth: spec.fixedUsdPerMonth ?? 0,
  }));
}

/** When the oldest observation that is kept was accepted; null without any. */
export async function observedSince(db: Executor): Promise<Date | null> {
  const [row] = await db.select({ since: min(observations.acceptedAt) }).from(observations);
  return row?.since ?? null;
}
