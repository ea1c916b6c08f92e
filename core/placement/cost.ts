/** Money: what the accelerators in use cost. */
import type { Prices } from './types.ts';

/** Accelerators of one kind in use on a host, as a replica or a placement has them. */
export interface AcceleratorUse {
  host: string;
  acceleratorKind: string;
  accelerators: readonly number[];
}

/** Price of one accelerator, USD an hour; null where nobody named one. */
export function pricePerHour(prices: Prices, host: string, kind: string): number | null {
  return prices.byHost[host]?.[kind] ?? prices.byKind[kind] ?? null;
}

/** USD an hour of all accelerators in use; null as soon as one has no price, with the kinds that lack it named. */
export function costPerHour(uses: readonly AcceleratorUse[], prices: Prices): { usdPerHour: number | null; unpriced: string[] } {
  const unpriced = new Set<string>();
  let usdPerHour = 0;
  for (const { host, acceleratorKind, accelerators } of uses) {
    const price = pricePerHour(prices, host, acceleratorKind);
    if (price === null) unpriced.add(acceleratorKind);
    else usdPerHour += price * accelerators.length;
  }
  // To a hundredth of a cent: sums do not depend on the order of their terms.
  return { usdPerHour: unpriced.size > 0 ? null : Math.round(usdPerHour * 1e4) / 1e4, unpriced: [...unpriced].sort() };
}
