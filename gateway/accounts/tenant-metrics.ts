/** Prometheus metrics of tenants that have limits. */

import type { BudgetEvents, TenantBudgets } from '../access/tenant-budgets.ts';
import type { Metrics } from './metrics.ts';

export function tenantMetrics(metrics: Metrics): BudgetEvents {
  return {
    onRefused: (tenant, limit) => metrics.tenantRefused.inc({ tenant: metrics.tenantLabel(tenant), limit }),
    onEnded(tenant, tokens) {
      const label = { tenant: metrics.tenantLabel(tenant) };
      metrics.tenantRequests.inc(label);
      metrics.tenantTokens.inc(label, tokens);
    },
  };
}

/** Gauges are set when they are asked for. */
export function setTenantGauges(metrics: Metrics, budgets: TenantBudgets): void {
  for (const gauge of [metrics.tenantInFlight, metrics.tenantTokensToday, metrics.tenantLimit, metrics.tenantShare]) gauge.reset();
  for (const { tenant, share, limits, use } of budgets.uses(performance.now(), Date.now())) {
    const label = { tenant: metrics.tenantLabel(tenant) };
    metrics.tenantInFlight.inc(label, use.requestsInFlight);
    metrics.tenantTokensToday.inc(label, use.tokensToday);
    metrics.tenantShare.set(label, share);
    for (const [limit, value] of Object.entries(limits)) metrics.tenantLimit.set({ ...label, limit }, value);
  }
}
