/** What the cost of serving is reckoned from: traffic by deployment and policy, and since when each deployment costs anything. */
import { gte, sql } from 'drizzle-orm';
import type { PolicyTraffic } from '../../core/placement/fleet-cost.ts';
import type { Executor } from '../client.ts';
import { observations, replicas } from '../schema/index.ts';

const { outcome, inputTokens, outputTokens, e2eMs, queueMs, attained } = observations;
const answered = sql`${outcome} = 'ok'`;

/** What traffic comes to, of any group of observations. */
export const TRAFFIC = {
  requests: sql<number>`count(*)::int`,
  answered: sql<number>`(count(*) filter (where ${answered}))::int`,
  inputTokens: sql<number>`coalesce(sum(${inputTokens}) filter (where ${answered}), 0)::float8`,
  outputTokens: sql<number>`coalesce(sum(${outputTokens}) filter (where ${answered}), 0)::float8`,
  engineMs: sql<number>`coalesce(sum(greatest(0, ${e2eMs} - coalesce(${queueMs}, 0))) filter (where ${answered} and ${e2eMs} is not null), 0)::float8`,
  judged: sql<number>`count(${attained})::int`,
  attained: sql<number>`(count(*) filter (where ${attained}))::int`,
};

/** Traffic accepted since `since`, by deployment and policy, in the order of their names. */
export async function policyTraffic(db: Executor, since: Date): Promise<PolicyTraffic[]> {
  return db
    .select({ deployment: observations.deployment, policy: observations.policy, ...TRAFFIC })
    .from(observations)
    .where(gte(observations.acceptedAt, since))
    .groupBy(observations.deployment, observations.policy)
    .orderBy(observations.deployment, observations.policy);
}

/** When each deployment got its first replica, ended ones among them: from then on it has cost money. Unix time, ms. */
export async function costsSince(db: Executor): Promise<Map<string, number>> {
  const rows = await db
    .select({ deployment: replicas.deployment, sinceMs: sql<number>`(extract(epoch from min(${replicas.createdAt})) * 1000)::float8` })
    .from(replicas)
    .groupBy(replicas.deployment);
  return new Map(rows.map((row) => [row.deployment, row.sinceMs]));
}
