/** What each accelerator of a report is counted at, and who says so. */
import { findAcceleratorKind } from '../../domain/accelerators.ts';
import { groupBy } from '../../domain/group-by.ts';
import { pricePerHour } from '../cost.ts';
import { compareText } from '../rank.ts';
import type { HostTime, PriceUsed, ValueReportInput } from './types.ts';

export function pricesUsed({ hosts, held, prices }: ValueReportInput): PriceUsed[] {
  const declared = hosts.flatMap((host) => host.accelerators.map(({ kind }) => used(kind, host.host, host)));
  const names = new Set(hosts.map(({ host }) => host));
  const gone = held.filter(({ host }) => !names.has(host)).map(({ host, acceleratorKind }) => used(acceleratorKind, host, undefined));
  const alike = groupBy([...declared, ...gone], ({ host: _, ...price }) => JSON.stringify(price));
  return [...alike]
    .map(([price, of]) => ({
      ...(JSON.parse(price) as Omit<PriceUsed, 'hosts'>),
      hosts: [...new Set(of.map((p) => p.host))].sort(compareText),
    }))
    .sort((a, b) => compareText(a.acceleratorKind, b.acceleratorKind) || compareText(a.source, b.source));

  function used(acceleratorKind: string, host: string, declaredBy: HostTime | undefined) {
    return {
      acceleratorKind,
      usdPerHour: pricePerHour(prices, host, acceleratorKind),
      source: sourceOf(acceleratorKind, declaredBy),
      host,
    };
  }
}

function sourceOf(kind: string, host: HostTime | undefined): string {
  const group = host?.accelerators.find((a) => a.kind === kind && (a.purchase !== undefined || a.usdPerHour !== undefined));
  if (group?.purchase) return `bought for ${group.purchase.usd} USD, over ${group.purchase.months} months`;
  if (group) return 'usdPerHour of the host';
  const known = findAcceleratorKind(kind);
  return known?.usdPerHour == null ? 'none' : (known.priceSource ?? 'the catalog');
}
