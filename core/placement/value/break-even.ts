/** When a deployment pays for itself. */
import { HOURS_PER_MONTH } from '../../domain/fleet.ts';
import { declaredOf, moneyOf } from './figures.ts';
import type { BreakEven, HeldTime, ValueFigures, ValueReportInput } from './types.ts';

/** @param hours that the deployment has cost money for; null for none */
export function breakEvenOf(figures: ValueFigures, hours: number | null, held: readonly HeldTime[], input: ValueReportInput): BreakEven {
  const { requests, earnedUsd, penaltyUsd, spentUsd } = figures;
  const owned = held.map((h) => {
    const host = declaredOf(h, input.hosts);
    const purchaseUsd = host?.accelerators.find((a) => a.kind === h.acceleratorKind)?.purchase?.usd ?? 0;
    const writtenOffUsd = purchaseUsd > 0 ? (moneyOf(host, h.acceleratorKind, h.acceleratorSeconds, input.catalog).acceleratorUsd ?? 0) : 0;
    return { purchaseUsd: h.seconds > 0 ? (purchaseUsd * h.acceleratorSeconds) / h.seconds : 0, writtenOffUsd };
  });
  const purchaseUsd = owned.reduce((sum, o) => sum + o.purchaseUsd, 0);
  const none = (why: BreakEven['none']): BreakEven => ({ requestsPerHour: null, purchaseUsd, purchaseMonths: null, none: why });
  if (spentUsd === null) return none('price');
  if (requests === 0 || !hours) return none('requests');
  if (earnedUsd === null || penaltyUsd === null) return none('value');
  const grossUsd = earnedUsd - penaltyUsd;
  if (grossUsd <= 0) return none('penalties');
  const incomeUsd = grossUsd - spentUsd + owned.reduce((sum, o) => sum + o.writtenOffUsd, 0);
  return {
    requestsPerHour: (spentUsd / hours / grossUsd) * requests,
    purchaseUsd,
    purchaseMonths: purchaseUsd > 0 && incomeUsd > 0 ? purchaseUsd / ((incomeUsd / hours) * HOURS_PER_MONTH) : null,
    none: null,
  };
}
