/** How answers lay in the distributions that were predicted for them, counted in SQL. */
import { and, asc, eq, gte, isNotNull, sql } from 'drizzle-orm';
import { NOT_LEARNED_FROM } from '../../core/domain/observation.ts';
import { normalQuantile } from '../../core/placement/distributions.ts';
import type { Executor } from '../client.ts';
import { observations } from '../schema/index.ts';

export interface ModelCalibration {
  model: string;
  /** Predicted, measured, and free to be as long as they would. */
  answers: number;
  /** Left out: their own limit lies below the predicted p90, so nobody knows how long they would have been. */
  limited: number;
  /** Share of the answers at or below each quantile of `QUANTILES`; null without answers. */
  shares: (number | null)[];
}

export const QUANTILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99] as const;

/** As far as `normalQuantile` is exact: 0 at the median, where a prediction in whole tokens must not be missed by a hair. */
const scoreOf = (quantile: number) => Math.round(normalQuantile(quantile) * 1000) / 1000;

/**
 * Of answers to requests accepted since `since`, by model. Predicted p50 and p90 stand for a lognormal distribution, as scheduling takes them
 * (`core/scheduler/conditional-length.ts`).
 */
export async function lengthCalibration(db: Executor, since: Date): Promise<ModelCalibration[]> {
  const { outputTokens, predictedOutputP50: p50, predictedOutputP90: p90, maxTokens, featureKey } = observations;
  const isLimited = sql`${maxTokens} is not null and ${p90} >= ${maxTokens}`;
  const share = (quantile: number) => {
    const scores = scoreOf(quantile) / scoreOf(0.9);
    const length = sql`${p50} * power(${p90} / ${p50}, ${scores}::float8)`;
    return sql`avg((${outputTokens} <= ${length})::int) filter (where not (${isLimited}))`;
  };
  return db
    .select({
      model: observations.model,
      answers: sql<number>`(count(*) filter (where not (${isLimited})))::int`,
      limited: sql<number>`(count(*) filter (where ${isLimited}))::int`,
      shares: sql<(number | null)[]>`array[${sql.join(QUANTILES.map(share), sql`, `)}]::float8[]`,
    })
    .from(observations)
    .where(
      and(
        gte(observations.acceptedAt, since),
        eq(observations.outcome, 'ok'),
        isNotNull(outputTokens),
        // The length that nobody predicted, those of engines that say nothing, and what nothing is learned from (several choices together) are no evidence.
        sql`${p50} > 0 and ${p90} >= ${p50} and ${outputTokens} > 0 and ${featureKey} is distinct from ${NOT_LEARNED_FROM}`,
      ),
    )
    .groupBy(observations.model)
    .orderBy(asc(observations.model));
}
