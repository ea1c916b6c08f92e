import { boolean, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { HostLiveness, HostService, HostSpec } from '../../core/domain/fleet.ts';
import type { HostProbe } from '../../core/domain/host-probe.ts';

/** Hosts: what was declared, and what their presence workflow last said of them. */
export const hosts = pgTable('hosts', {
  name: text().primaryKey(),
  spec: jsonb().$type<HostSpec>().notNull(),
  version: integer().notNull().default(1),
  liveness: text().$type<HostLiveness>().notNull().default('pending'),
  service: text().$type<HostService>().notNull().default('schedulable'),
  /** Why it is cordoned, draining, suspect or lost. */
  reason: text().notNull().default(''),
  /** What its own tools last found; null until its worker says so. */
  probe: jsonb().$type<HostProbe>(),
  lastSeenAt: timestamp({ withTimezone: true }),
  /** Receipt of the last drain. */
  drain: jsonb().$type<Record<string, unknown>>(),
  external: boolean().notNull().default(false),
  createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  updatedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
