import { integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';

/** The policies in force. */
export const sloPolicies = pgTable('slo_policies', {
  name: text().primaryKey(),
  spec: jsonb().$type<SloPolicy>().notNull(),
  version: integer().notNull().default(1),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});

/** Every version a policy ever had; `spec` is null for a deletion. */
export const sloPolicyVersions = pgTable(
  'slo_policy_versions',
  {
    name: text().notNull(),
    version: integer().notNull(),
    spec: jsonb().$type<SloPolicy>(),
    at: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.name, t.version] })],
);
