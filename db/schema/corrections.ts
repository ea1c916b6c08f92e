import { bigserial, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** What monitoring noticed and mended, with its evidence. */
export const corrections = pgTable('corrections', {
  id: bigserial({ mode: 'number' }).primaryKey(),
  kind: text().notNull(),
  subject: text().notNull(),
  evidence: jsonb().$type<Record<string, unknown>>().notNull(),
  action: text().notNull(),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  undoneAt: timestamp({ withTimezone: true }),
});
