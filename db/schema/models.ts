import { integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Model } from '../../core/domain/model-spec.ts';

/** Models as declared. */
export const models = pgTable('models', {
  name: text().primaryKey(),
  spec: jsonb().$type<Model>().notNull(),
  version: integer().notNull().default(1),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
