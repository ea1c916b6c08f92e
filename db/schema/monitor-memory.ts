import { integer, jsonb, pgTable, timestamp } from 'drizzle-orm/pg-core';
import type { MonitorMemory } from '../../core/profiler/monitor/monitor.ts';

/** One row (id 1): what the monitor remembers from one look to the next. */
export const monitorMemory = pgTable('monitor_memory', {
  id: integer().primaryKey(),
  memory: jsonb().$type<MonitorMemory>().notNull(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
