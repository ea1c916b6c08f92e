import { sql } from 'drizzle-orm';
import { integer, jsonb, pgTable, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';
import type { RolloutStatus } from '../../core/domain/rollout.ts';

/** Rollouts, one row for each run of `deployModel`; the partial index allows one at a time for a deployment. */
export const rollouts = pgTable(
  'rollouts',
  {
    /** `<deployment>-r<revision>`, with `-<n>` behind it where a revision is rolled out again. */
    id: text().primaryKey(),
    deployment: text().notNull(),
    revision: integer().notNull(),
    fromRevision: integer(),
    workflowId: text().notNull(),
    status: jsonb().$type<RolloutStatus>().notNull(),
    startedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    endedAt: timestamp({ withTimezone: true }),
  },
  (t) => [uniqueIndex('rollouts_one_running').on(t.deployment).where(sql`${t.endedAt} is null`)],
);
