import { sql } from 'drizzle-orm';
import { integer, jsonb, pgTable, text, timestamp, uniqueIndex } from 'drizzle-orm/pg-core';
import type { RolloutStatus } from '../../core/domain/rollout.ts';

/** Rollouts, one row for each run of `deployModel`; the partial indexes allow a deployment one that runs, and one that waits for it to end. */
export const rollouts = pgTable(
  'rollouts',
  {
    /** `<deployment>-r<revision>`, with `-<n>` behind it where a revision is rolled out again. */
    id: text().primaryKey(),
    deployment: text().notNull(),
    revision: integer().notNull(),
    fromRevision: integer(),
    workflowId: text().notNull(),
    /** The rollout that it waits for; null once it runs. */
    queuedBehind: text(),
    status: jsonb().$type<RolloutStatus>().notNull(),
    startedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    endedAt: timestamp({ withTimezone: true }),
  },
  (t) => [
    uniqueIndex('rollouts_one_running').on(t.deployment).where(sql`${t.endedAt} is null and ${t.queuedBehind} is null`),
    uniqueIndex('rollouts_one_queued').on(t.deployment).where(sql`${t.endedAt} is null and ${t.queuedBehind} is not null`),
  ],
);
