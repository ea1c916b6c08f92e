/** Observations to be read: as they came, and what they say of the SLO policies. */
import { and, desc, eq, getTableColumns, gte, isNotNull, lt, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import { FALLBACK_POLICY } from '../../core/domain/slo-policy.ts';
import type { Executor } from '../client.ts';
import { observations, sloPolicies } from '../schema/index.ts';
import { type Page, type PageRequest, serialKey, toPage } from './page.ts';

export type ObservationRow = Omit<typeof observations.$inferSelect, 'features' | 'featureKey'>;

const { features: _, featureKey: __, ...readable } = getTableColumns(observations);

/** Newest first. */
export async function listObservations(
  db: Executor,
  page: PageRequest,
  where: { deployment?: string | undefined; tenant?: string | null | undefined; since?: Date | undefined },
): Promise<Page<ObservationRow>> {
  const rows = await db
    .select(readable)
    .from(observations)
    .where(
      and(
        where.deployment === undefined ? undefined : eq(observations.deployment, where.deployment),
        ofTenant(where.tenant),
        where.since === undefined ? undefined : gte(observations.acceptedAt, where.since),
        page.after === undefined ? undefined : lt(observations.id, serialKey(page.after)),
      ),
    )
    .orderBy(desc(observations.id))
    .limit(page.limit + 1);
  return toPage(rows, page, (row) => String(row.id));
}

/** @param tenant whose it has to be; null for any @throws not-found */
export async function readObservation(db: Executor, id: number, tenant: string | null): Promise<ObservationRow> {
  const [row] = await db
    .select(readable)
    .from(observations)
    .where(and(eq(observations.id, id), ofTenant(tenant)));
  if (!row) throw notFound('observation', String(id));
  return row;
}

export interface SloAttainment {
  policy: string;
  class: string;
  deployment: string;
  /** Requests that count: all but those that their client cancelled. */
  requests: number;
  /** Share of them that met every target, 0 to 1. */
  attained: number;
  /** What the policy asks for; null where the policy no longer exists. */
  targetAttainment: number | null;
}

/** Attainment by policy, class and deployment over the requests accepted since `since`. @param tenant whose requests; null for all */
export async function sloAttainment(db: Executor, since: Date, tenant: string | null): Promise<SloAttainment[]> {
  const target = sql<number | null>`(${sloPolicies.spec}->'targets'->>'attainment')::float8`;
  const rows = await db
    .select({
      policy: observations.policy,
      class: observations.class,
      deployment: observations.deployment,
      requests: sql<number>`count(*)::int`,
      attained: sql<number>`avg(case when ${observations.attained} then 1 else 0 end)::float8`,
      targetAttainment: sql<number | null>`max(${target})`,
    })
    .from(observations)
    .leftJoin(sloPolicies, eq(sloPolicies.name, observations.policy))
    .where(and(gte(observations.acceptedAt, since), isNotNull(observations.attained), ofTenant(tenant)))
    .groupBy(observations.policy, observations.class, observations.deployment)
    .orderBy(observations.policy, observations.class, observations.deployment);
  return rows.map((row) => ({
    ...row,
    targetAttainment:
      row.policy === FALLBACK_POLICY.name ? (row.targetAttainment ?? FALLBACK_POLICY.targets.attainment) : row.targetAttainment,
  }));
}

const ofTenant = (tenant: string | null | undefined) => (tenant == null ? undefined : eq(observations.tenant, tenant));
