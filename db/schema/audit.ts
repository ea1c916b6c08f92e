import { bigserial, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** Who changed what, written in the transaction of the change. */
export const audit = pgTable(
  'audit',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    at: timestamp({ withTimezone: true }).notNull().defaultNow(),
    actor: text().notNull(),
    /** `create`, `replace`, `delete`, `rollout`, `drain`, ... */
    action: text().notNull(),
    kind: text().notNull(),
    name: text().notNull(),
    /** Whose the object is; null for the fleet's. */
    tenant: text(),
    before: jsonb(),
    after: jsonb(),
  },
  (t) => [index('audit_object').on(t.kind, t.name)],
);
