import { boolean, doublePrecision, index, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { EngineKind } from '../../core/domain/deployment.ts';
import type { ReplicaMove, ReplicaState } from '../../core/domain/replica.ts';
import type { ChatTemplate } from '../../core/domain/routing.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';

/** Replicas, living and ended. */
export const replicas = pgTable(
  'replicas',
  {
    id: text().primaryKey(),
    model: text().notNull(),
    deployment: text().notNull(),
    revision: integer().notNull(),
    host: text().notNull(),
    accelerators: integer().array().notNull(),
    acceleratorKind: text().notNull(),
    tensorParallel: integer().notNull(),
    engine: text().$type<EngineKind>().notNull(),
    endpoint: text(),
    state: text().$type<ReplicaState>().notNull(),
    generation: integer().notNull().default(1),
    weight: doublePrecision().notNull().default(0),
    simulated: boolean().notNull(),
    reason: text().notNull().default(''),
    planId: text(),
    /** The move that it is part of: what the disruption budget counts. */
    move: jsonb().$type<ReplicaMove>(),
    /** Its share of the traffic before it was unrouted, while its requests finish: to be routed so again should its move be called off. */
    weightBefore: doublePrecision(),
    capacityRequestsPerSecond: doublePrecision(),
    /** Admission limit of one gateway. */
    maxInFlight: integer().notNull().default(256),
    kvCacheTokens: integer(),
    /** Shares of the KV cache and of `maxInFlight` that admission may fill: monitoring lowers and raises them. */
    kvShare: doublePrecision().notNull().default(1),
    maxInFlightShare: doublePrecision().notNull().default(1),
    stepTime: jsonb().$type<StepTimeCoefficients>(),
    /** For engines that take a chat as text only; null for all others, and for models without one. */
    chat: jsonb().$type<ChatTemplate>(),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    endedAt: timestamp({ withTimezone: true }),
  },
  (t) => [index('replicas_deployment').on(t.deployment, t.state), index('replicas_host').on(t.host, t.state)],
);

/** Which replica holds which accelerator: the primary key is what makes double booking impossible. */
export const acceleratorClaims = pgTable(
  'accelerator_claims',
  {
    host: text().notNull(),
    accelerator: integer().notNull(),
    replicaId: text()
      .notNull()
      .references(() => replicas.id, { onDelete: 'cascade' }),
  },
  (t) => [primaryKey({ columns: [t.host, t.accelerator] })],
);
