import { integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Tenant } from '../../core/domain/tenant.ts';

/** Tenants about which something was declared; one without a row is treated as the domain's defaults say. */
export const tenants = pgTable('tenants', {
  name: text().primaryKey(),
  spec: jsonb().$type<Tenant>().notNull(),
  version: integer().notNull().default(1),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
