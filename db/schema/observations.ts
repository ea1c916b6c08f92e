import { bigserial, boolean, doublePrecision, index, integer, pgTable, primaryKey, text, timestamp, unique } from 'drizzle-orm/pg-core';
import { base64Bytes } from './bytes.ts';

/**
 * What was predicted for each request and what happened. The profiler trains on it, in the order of `id`.
 *
 * The table is partitioned by the UTC day of `acceptedAt`, which drizzle cannot say (see migration 0002): `observations_<yyyymmdd>` beside
 * `observations_default`, which takes whatever has no day of its own. `queries/observation-partitions.ts` makes and drops the days.
 */
export const observations = pgTable(
  'observations',
  {
    id: bigserial({ mode: 'number' }).notNull(),
    requestId: text().notNull(),
    acceptedAt: timestamp({ withTimezone: true }).notNull(),
    gatewayId: text().notNull(),
    model: text().notNull(),
    deployment: text().notNull(),
    revision: integer(),
    replicaId: text(),
    tenant: text().notNull(),
    class: text().notNull(),
    policy: text().notNull(),
    outcome: text().notNull(),
    streamed: boolean().notNull(),
    inputTokens: integer().notNull(),
    outputTokens: integer(),
    maxTokens: integer(),
    predictedOutputP50: doublePrecision(),
    predictedOutputP90: doublePrecision(),
    predictedTtftMs: doublePrecision(),
    snapshotVersion: integer(),
    queueMs: doublePrecision(),
    ttftMs: doublePrecision(),
    tpotMs: doublePrecision(),
    e2eMs: doublePrecision(),
    attained: boolean(),
    /** Numeric features and keyed hashes of the request, opaque to SQL; null where its tenant has them off. */
    features: base64Bytes(),
    /** Short id of the key that hashed them. */
    featureKey: text(),
  },
  (t) => [
    primaryKey({ columns: [t.id, t.acceptedAt] }),
    unique('observations_request').on(t.requestId, t.acceptedAt),
    // With all that attainment and arrivals over time are counted by: a week of them is read from the index alone.
    index('observations_attainment').on(t.acceptedAt, t.policy, t.attained, t.deployment, t.tenant),
    index('observations_deployment').on(t.deployment, t.acceptedAt),
  ],
);
