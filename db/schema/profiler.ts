import { bigint, doublePrecision, integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { StepTimeCoefficients, StepTimeSource } from '../../core/domain/step-time.ts';

/** Published snapshots of the output-length model; the one with the highest version is in force. */
export const profilerSnapshots = pgTable('profiler_snapshots', {
  version: integer().primaryKey(),
  snapshot: jsonb().$type<Record<string, unknown>>().notNull(),
  scores: jsonb().$type<Record<string, unknown>>().notNull(),
  /** Last observation it has learned from. */
  trainedThroughId: bigint({ mode: 'number' }).notNull(),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  /** Why it was published: `learned`, `recalibrated`, `rolled back to version 7`, `drift`. */
  reason: text().notNull().default(''),
  /** The version it came from; null for the first, and in rows of earlier releases. */
  basedOn: integer(),
});

/** Step-time coefficients by shape, from calibration runs on live replicas. */
export const stepTimeProfiles = pgTable(
  'step_time_profiles',
  {
    model: text().notNull(),
    accelerator: text().notNull(),
    tensorParallel: integer().notNull(),
    source: text().$type<StepTimeSource>().notNull(),
    coefficients: jsonb().$type<StepTimeCoefficients>().notNull(),
    /** Mean absolute error of the fit on the calibration run, per cent. */
    errorPercent: doublePrecision(),
    replicaId: text(),
    updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.model, t.accelerator, t.tensorParallel] })],
);
