import { bigint, doublePrecision, integer, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

/**
 * What arrived for each deployment in each quarter of an hour: what forecasts know of the last weeks, however long observations are kept.
 * No row means that nobody knows: a deployment's rows begin with its first arrival, and go on with zeros while somebody reports.
 */
export const arrivalHistory = pgTable(
  'arrival_history',
  {
    bucketStart: timestamp({ withTimezone: true }).notNull(),
    deployment: text().notNull(),
    arrivals: integer().notNull().default(0),
    /** Sums over the arrivals: of tokens, and of their squares. */
    inputTokens: doublePrecision().notNull().default(0),
    inputSquares: doublePrecision().notNull().default(0),
    /** Arrivals whose answer's length is known, and sums over those. */
    answers: integer().notNull().default(0),
    outputTokens: doublePrecision().notNull().default(0),
    outputSquares: doublePrecision().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.bucketStart, t.deployment] })],
);

/** One row (id 1): how far the history has come. */
export const arrivalHistoryProgress = pgTable('arrival_history_progress', {
  id: integer().primaryKey(),
  /** The last observation that was added to it. */
  throughId: bigint({ mode: 'number' }).notNull(),
  /** Zeros are written for what lies before. */
  zeroedThrough: timestamp({ withTimezone: true }).notNull(),
});
