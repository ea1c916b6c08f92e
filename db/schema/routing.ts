import { bigint, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { Leftover } from '../../core/domain/drain.ts';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import type { Demand } from '../../core/scheduler/shares.ts';

/** One row: the version of the routing table. Whatever gateways should see raises it, in the transaction of the change. */
export const routingVersion = pgTable('routing_version', {
  id: integer().primaryKey(),
  version: bigint({ mode: 'number' }).notNull(),
});

/** Which version each live gateway routes by, and what it has in flight. A row not renewed for 10 s is no live gateway's. */
export const gatewayLeases = pgTable('gateway_leases', {
  gatewayId: text().primaryKey(),
  address: text().notNull(),
  routingVersion: bigint({ mode: 'number' }).notNull(),
  /** Name of the policy that it schedules by, but for deployments in shadow mode; null where it did not say. */
  schedulerPolicy: text(),
  /** replica id → requests open on it. */
  inFlight: jsonb().$type<Record<string, number>>().notNull(),
  /** replica id → what the gateway wants of it: what it has open there, and its part of what waits. Read by the other gateways. */
  demand: jsonb().$type<Record<string, Demand>>().notNull().default({}),
  /** replica id → what became of the requests that were open on it when the gateway stopped routing to it. */
  leftover: jsonb().$type<Record<string, Leftover>>().notNull().default({}),
  /** replica id → why the gateway sends nothing there, for the routed replicas that do not answer it. */
  unhealthy: jsonb().$type<Record<string, string>>().notNull().default({}),
  /** replica id → its engine as the gateway last saw it. */
  gauges: jsonb().$type<Record<string, ReplicaGauges>>().notNull().default({}),
  startedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  renewedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
