import { integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { DeploymentSpec } from '../../core/domain/deployment.ts';

/** Deployments as wanted, and which revision serves. */
export const deployments = pgTable('deployments', {
  name: text().primaryKey(),
  spec: jsonb().$type<DeploymentSpec>().notNull(),
  version: integer().notNull().default(1),
  /** Newest revision made; null before the first rollout. */
  latestRevision: integer(),
  /** The revision promoted last; null before the first success. */
  currentRevision: integer(),
  /** Since when `spec.mode` is what it is. */
  modeSince: timestamp({ withTimezone: true }).notNull().defaultNow(),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});

/** What each rollout rolls out; never changes. */
export const revisions = pgTable(
  'revisions',
  {
    deployment: text().notNull(),
    number: integer().notNull(),
    spec: jsonb().$type<DeploymentSpec>().notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.deployment, t.number] })],
);
