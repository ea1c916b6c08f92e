import { bigserial, doublePrecision, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';

/** In force and watched, found to help, taken back, or never brought into force. */
export type CorrectionState = 'active' | 'kept' | 'undone' | 'failed';

/** What monitoring noticed and mended, with its evidence. */
export const corrections = pgTable('corrections', {
  id: bigserial({ mode: 'number' }).primaryKey(),
  kind: text().notNull(),
  subject: text().notNull(),
  evidence: jsonb().$type<Record<string, unknown>>().notNull(),
  action: text().notNull(),
  /** What was applied, as data; null in rows of earlier releases. */
  change: jsonb().$type<Record<string, unknown>>(),
  state: text().$type<CorrectionState>().notNull().default('active'),
  /** Share of requests within their SLO before the correction, and while it was judged; 0 to 1. */
  attainmentBefore: doublePrecision(),
  attainmentAfter: doublePrecision(),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  undoneAt: timestamp({ withTimezone: true }),
  undoReason: text(),
});
