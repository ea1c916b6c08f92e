/** What planning reads beside hosts and replicas: models, deployments, policies, what arrived, what was calibrated. */
import { and, asc, eq, gte, isNotNull, isNull, notExists, sql } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import { declaredPricesOf } from '../../core/domain/fleet.ts';
import type { Model } from '../../core/domain/model-spec.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import type { CountedBucket, ReportingGateway } from '../../core/placement/forecast/recent.ts';
import type { Executor } from '../client.ts';
import { deployments, gatewayLeases, hosts, models, observations, replicas, revisions, sloPolicies } from '../schema/index.ts';

/** @throws not-found */
export async function loadModel(db: Executor, name: string): Promise<Model> {
  const [row] = await db.select({ spec: models.spec }).from(models).where(eq(models.name, name));
  if (!row) throw notFound('model', name);
  return row.spec;
}

export async function allModels(db: Executor): Promise<Model[]> {
  const rows = await db.select({ spec: models.spec }).from(models).orderBy(asc(models.name));
  return rows.map((r) => r.spec);
}

export async function allPolicies(db: Executor): Promise<SloPolicy[]> {
  const rows = await db.select({ spec: sloPolicies.spec }).from(sloPolicies).orderBy(asc(sloPolicies.name));
  return rows.map((r) => r.spec);
}

/** Deployments that serve: each with the spec of its current revision, not of an edit that was never rolled out. */
export async function servingDeployments(db: Executor): Promise<{ spec: DeploymentSpec; revision: number }[]> {
  return db
    .select({ spec: revisions.spec, revision: revisions.number })
    .from(deployments)
    .innerJoin(revisions, and(eq(revisions.deployment, deployments.name), eq(revisions.number, deployments.currentRevision)))
    .where(isNotNull(deployments.currentRevision))
    .orderBy(asc(deployments.name));
}

/** Those that were deleted, and whose replicas are not all gone yet. */
export async function undeclaredDeployments(db: Executor): Promise<string[]> {
  const { deployment } = replicas;
  const itself = db.select({ name: deployments.name }).from(deployments).where(eq(deployments.name, deployment));
  const left = and(isNull(replicas.endedAt), notExists(itself));
  const rows = await db.selectDistinct({ deployment }).from(replicas).where(left).orderBy(deployment);
  return rows.map((row) => row.deployment);
}

/** Those that keep away from others or from themselves, as declared: of one that is in its first rollout, too. */
export async function declaredAffinities(db: Executor): Promise<Pick<DeploymentSpec, 'name' | 'placement'>[]> {
  const placement = sql<DeploymentSpec['placement']>`${deployments.spec}->'placement'`;
  return db
    .select({ name: deployments.name, placement })
    .from(deployments)
    .where(sql`${placement}->'antiAffinity' is not null`)
    .orderBy(asc(deployments.name));
}

/** A bucket in which something arrived, and for which deployment. */
export type DeploymentArrivals = CountedBucket & { deployment: string };

/** Lengths of requests as their sums, of the rows that a query groups. */
const sums = (tokens: typeof observations.inputTokens | typeof observations.outputTokens) => ({
  requests: sql<number>`count(${tokens})::int`,
  tokens: sql<number>`coalesce(sum(${tokens}), 0)::float8`,
  squares: sql<number>`coalesce(sum(${tokens}::float8 * ${tokens}), 0)::float8`,
});

/**
 * Arrivals (not completions) of each deployment since `since`, in buckets of `bucketSeconds`; buckets without arrivals are absent. Requests
 * that were shed, cancelled or failed count; those that no engine could have served do not, and are not stored.
 */
export async function arrivalsByDeployment(db: Executor, since: Date, bucketSeconds: number): Promise<DeploymentArrivals[]> {
  // A literal: as parameters the two places where it stands would be two expressions.
  const bucket = sql.raw(`date_bin('${Math.max(1, Math.floor(bucketSeconds))} s', accepted_at, 'epoch')`);
  const tookMs = sql`coalesce(${observations.e2eMs}, ${observations.queueMs})`;
  return db
    .select({
      deployment: observations.deployment,
      bucketStartMs: sql<number>`(extract(epoch from ${bucket}) * 1000)::float8`,
      arrivals: sql<number>`count(*)::int`,
      input: sums(observations.inputTokens),
      output: sums(observations.outputTokens),
      endedWithinMs: sql<number | null>`(percentile_cont(0.95) within group (order by ${tookMs}))::float8`,
    })
    .from(observations)
    .where(gte(observations.acceptedAt, since))
    .groupBy(observations.deployment, bucket)
    .orderBy(observations.deployment, bucket);
}

/** Gateways that hold a lease and renewed it since `since`, with the time that they have held it without a break. */
export async function reportingGateways(db: Executor, since: Date): Promise<ReportingGateway[]> {
  const rows = await db
    .select({ since: gatewayLeases.startedAt, until: gatewayLeases.renewedAt })
    .from(gatewayLeases)
    .where(gte(gatewayLeases.renewedAt, since));
  return rows.map((row) => ({ sinceMs: row.since.getTime(), untilMs: row.until.getTime() }));
}

/** Prices that hosts' owners declared: host → kind → USD an hour. */
export async function declaredPrices(db: Executor): Promise<Record<string, Record<string, number>>> {
  const rows = await db.select({ name: hosts.name, spec: hosts.spec }).from(hosts);
  return Object.fromEntries(rows.map((r) => [r.name, declaredPricesOf(r.spec)]));
}
