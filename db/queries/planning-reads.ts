/** What planning reads beside hosts and replicas: models, deployments, policies, what arrived, what was calibrated. */
import { and, asc, eq, gte, isNotNull, sql } from 'drizzle-orm';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { notFound } from '../../core/domain/errors.ts';
import type { Model } from '../../core/domain/model-spec.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import type { Executor } from '../client.ts';
import { deployments, hosts, models, observations, revisions, sloPolicies } from '../schema/index.ts';

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

export interface ArrivalBucket {
  deployment: string;
  bucketStartMs: number;
  arrivals: number;
  /** Means over the bucket; null where nothing told. */
  inputTokens: number;
  outputTokens: number | null;
}

/** Arrivals (not completions) of each deployment since `since`, in buckets of `bucketSeconds`; buckets without arrivals are absent. */
export async function arrivalsByDeployment(db: Executor, since: Date, bucketSeconds: number): Promise<ArrivalBucket[]> {
  const width = sql.raw(String(Math.max(1, Math.floor(bucketSeconds))));
  const bucket = sql<number>`(floor(extract(epoch from ${observations.acceptedAt}) / ${width}) * ${width} * 1000)::float8`;
  return db
    .select({
      deployment: observations.deployment,
      bucketStartMs: bucket,
      arrivals: sql<number>`count(*)::int`,
      inputTokens: sql<number>`avg(${observations.inputTokens})::float8`,
      outputTokens: sql<number | null>`avg(${observations.outputTokens})::float8`,
    })
    .from(observations)
    .where(gte(observations.acceptedAt, since))
    .groupBy(observations.deployment, bucket)
    .orderBy(observations.deployment, bucket);
}

/** Prices that hosts' owners declared: host → kind → USD an hour. */
export async function declaredPrices(db: Executor): Promise<Record<string, Record<string, number>>> {
  const rows = await db.select({ name: hosts.name, spec: hosts.spec }).from(hosts);
  return Object.fromEntries(
    rows.map((r) => [
      r.name,
      Object.fromEntries(r.spec.accelerators.flatMap((g) => (g.usdPerHour === undefined ? [] : [[g.kind, g.usdPerHour]]))),
    ]),
  );
}
