import { index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Move, PlanPurpose, PlanReport } from '../../core/domain/plan.ts';

/** Plans: rows that never change but for `state`, which an applier sets once. Together they are the placement history. */
export const plans = pgTable(
  'plans',
  {
    id: text().primaryKey(),
    purpose: text().$type<PlanPurpose>().notNull(),
    subject: text().notNull(),
    basedOn: text(),
    moves: jsonb().$type<Move[]>().notNull(),
    report: jsonb().$type<PlanReport>().notNull(),
    state: text().$type<'proposed' | 'applied' | 'trimmed' | 'refused' | 'dry-run'>().notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    appliedAt: timestamp({ withTimezone: true }),
  },
  (t) => [index('plans_created').on(t.createdAt)],
);
