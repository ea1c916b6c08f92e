import { bigint, date, jsonb, pgTable, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';
import type { BudgetClaim } from '../../core/scheduler/budget-shares.ts';
import type { TenantUse } from '../../core/scheduler/tenant-budget.ts';

/** What each tenant has used on each UTC day: the sums of its observations, counted in the transaction that stores them. */
export const tenantUsage = pgTable(
  'tenant_usage',
  {
    tenant: text().notNull(),
    day: date().notNull(),
    requests: bigint({ mode: 'number' }).notNull(),
    inputTokens: bigint({ mode: 'number' }).notNull(),
    outputTokens: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.tenant, t.day] })],
);

/** What a gateway claims of a tenant's limits, and what went through it. */
export interface GatewayClaim extends BudgetClaim {
  use: Pick<TenantUse, 'requestsInFlight' | 'requestsPerMinute' | 'tokensPerMinute'>;
}

/** tenant → claim, of each gateway; a row not renewed for 3 s is no live gateway's. */
export const tenantShares = pgTable('tenant_shares', {
  gatewayId: text().primaryKey(),
  claims: jsonb().$type<Record<string, GatewayClaim>>().notNull(),
  renewedAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
