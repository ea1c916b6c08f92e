/** Money as the page shows it, and the prices of an SLO put side by side. */
import type { DeploymentSloPricesItem, PolicyCostItem, SloPriceItem } from '../../../api/schema/index.ts';
import type { Tone } from './tones.ts';

/** Cents, and two digits of what is less than ten of them. */
export function dollars(amount: number | null): string {
  if (amount === null) return 'unknown';
  const text = amount === 0 || Math.abs(amount) >= 0.1 ? Math.abs(amount).toFixed(2) : String(Number(Math.abs(amount).toPrecision(2)));
  return `${amount < 0 ? '−' : ''}$${text}`;
}

/** Every TPOT that some deployment is priced at for comparison, tightest first. Its own stands in a column of its own. */
export function comparedTpotMs(prices: readonly DeploymentSloPricesItem[]): number[] {
  const others = prices.flatMap(({ levels }) => levels.flatMap((l) => (l.own ? [] : (l.targets?.tpotMs ?? []))));
  return [...new Set(others)].sort((a, b) => a - b);
}

/** The price at a TPOT; where that is the deployment's own, the own one. */
export function priceAt({ levels }: DeploymentSloPricesItem, tpotMs: number): SloPriceItem | undefined {
  return levels.find((l) => l.targets?.tpotMs === tpotMs);
}

export function ownPrice({ levels }: DeploymentSloPricesItem): SloPriceItem | undefined {
  return levels.find((l) => l.own);
}

/** The largest of a deployment's prices, for bars; 0 without any. */
export function dearest({ levels }: DeploymentSloPricesItem): number {
  return Math.max(0, ...levels.map((l) => l.usdPerHour ?? 0));
}

/** What stands in the way on the present fleet; null where it holds. */
export function missingOnFleet({ refusal, presentFleet }: SloPriceItem): string | null {
  if (refusal || presentFleet.holds) return null;
  return presentFleet.refusal ? (presentFleet.refusal.nearest ?? presentFleet.refusal.message) : 'no room';
}

export function replicasText({ replicas }: SloPriceItem): string {
  return replicas.map((r) => `${r.count} × ${r.tensorParallel} ${r.acceleratorKind}`).join(', ');
}

/** Above all of its capacity a deployment cannot keep its targets; close to it, no burst. */
export function utilisationTone(utilisation: number): Tone {
  if (utilisation > 1) return 'bad';
  return utilisation > 0.9 ? 'warn' : 'good';
}

/** `worth $29.40/h`; empty where the policy declares no value. */
export function worthText({ value }: PolicyCostItem): string {
  return value ? `worth ${dollars(value.usdPerHour)}/h` : '';
}
