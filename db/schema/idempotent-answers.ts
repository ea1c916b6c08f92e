import { integer, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

/** What was answered to POSTs that came with an Idempotency-Key. */
export const idempotentAnswers = pgTable(
  'idempotent_answers',
  {
    /** The actor of audit rows: keys of different callers do not meet. */
    caller: text().notNull(),
    key: text().notNull(),
    /** SHA-256 of method, address and body, in hexadecimal. */
    request: text().notNull(),
    /** null until it is answered; for good where the API ended before. */
    status: integer(),
    headers: jsonb().$type<Record<string, string>>(),
    body: text(),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.caller, t.key] })],
);
