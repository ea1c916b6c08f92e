/** Money and counts of a value report, and how they add up. */
import { declaredPricesOf, HOURS_PER_MONTH } from '../../domain/fleet.ts';
import type { SloPolicy } from '../../domain/slo-policy.ts';
import { earningsOf } from '../fleet-cost.ts';
import type { HeldTime, HostTime, ValueFigures, ValueReportInput } from './types.ts';

/** What accelerators cost for some time. */
export interface Paid {
  acceleratorUsd: number | null;
  fixedUsd: number;
}

/** The host as it was declared while its accelerators were held. */
export function declaredOf({ host, declaredAtMs }: HeldTime, hosts: readonly HostTime[]): HostTime | undefined {
  return hosts.find((h) => h.host === host && h.declaredAtMs === declaredAtMs);
}

/** Price of one accelerator, USD an hour, on a host as it was declared; null where nobody named one. */
export function priceOf(host: HostTime | undefined, kind: string, catalog: ValueReportInput['catalog']): number | null {
  return (host && declaredPricesOf(host)[kind]) ?? (host?.catalog ?? catalog)[kind] ?? null;
}

/** USD of accelerators of one kind, on a host as it was declared, for so many accelerator-seconds. */
export function moneyOf(host: HostTime | undefined, kind: string, acceleratorSeconds: number, catalog: ValueReportInput['catalog']): Paid {
  const price = priceOf(host, kind, catalog);
  const accelerators = host?.accelerators.reduce((sum, a) => sum + a.count, 0) ?? 0;
  const fixedPerHour = host && accelerators > 0 ? host.fixedUsdPerMonth / HOURS_PER_MONTH / accelerators : 0;
  const hours = acceleratorSeconds / 3600;
  return { acceleratorUsd: price === null ? null : price * hours, fixedUsd: fixedPerHour * hours };
}

export const NO_COUNTS = { requests: 0, answered: 0, judged: 0, attained: 0, inputTokens: 0, outputTokens: 0 };

export type Counts = typeof NO_COUNTS;

export function figuresOf(counts: Counts, { acceleratorUsd, fixedUsd }: Paid, value: SloPolicy['value']): Omit<ValueFigures, keyof Counts> {
  const spentUsd = added([acceleratorUsd, fixedUsd]);
  const { earnedUsd, penaltyUsd } = value ? earningsOf(value, counts) : { earnedUsd: null, penaltyUsd: null };
  const unvaluedRequests = value ? 0 : counts.requests;
  return { acceleratorUsd, fixedUsd, spentUsd, earnedUsd, penaltyUsd, unvaluedRequests, netUsd: netOf(earnedUsd, penaltyUsd, spentUsd) };
}

/** null as soon as one of them is. */
export function added(amounts: readonly (number | null)[]): number | null {
  return amounts.reduce<number | null>((sum, usd) => (sum === null || usd === null ? null : sum + usd), 0);
}

export function netOf(earnedUsd: number | null, penaltyUsd: number | null, spentUsd: number | null): number | null {
  return earnedUsd === null || spentUsd === null ? null : earnedUsd - (penaltyUsd ?? 0) - spentUsd;
}

export function sumOf(parts: readonly ValueFigures[]): ValueFigures {
  const sum = (field: keyof Counts | 'fixedUsd' | 'unvaluedRequests') => parts.reduce((total, part) => total + part[field], 0);
  const valued = (field: 'earnedUsd' | 'penaltyUsd') => {
    const known = parts.flatMap((part) => part[field] ?? []);
    return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
  };
  const [spentUsd, earnedUsd, penaltyUsd] = [added(parts.map((p) => p.spentUsd)), valued('earnedUsd'), valued('penaltyUsd')];
  return {
    requests: sum('requests'),
    answered: sum('answered'),
    judged: sum('judged'),
    attained: sum('attained'),
    inputTokens: sum('inputTokens'),
    outputTokens: sum('outputTokens'),
    acceleratorUsd: added(parts.map((p) => p.acceleratorUsd)),
    fixedUsd: sum('fixedUsd'),
    spentUsd,
    earnedUsd,
    penaltyUsd,
    unvaluedRequests: sum('unvaluedRequests'),
    netUsd: netOf(earnedUsd, penaltyUsd, spentUsd),
  };
}
