import { bigserial, boolean, doublePrecision, index, integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** What was predicted for each request and what happened. The profiler trains on it, in the order of `id`. */
export const observations = pgTable(
  'observations',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    requestId: text().notNull().unique(),
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
  },
  (t) => [index('observations_accepted').on(t.acceptedAt), index('observations_deployment').on(t.deployment, t.acceptedAt)],
);
