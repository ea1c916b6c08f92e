/** What each accelerator of a report is counted at, and who says so. */
import { findAcceleratorKind } from '../../domain/accelerators.ts';
import { groupBy } from '../../domain/group-by.ts';
import { compareText } from '../rank.ts';
import { declaredOf, priceOf } from './figures.ts';
import type { HostTime, PriceUsed, ValueReportInput } from './types.ts';

export function pricesUsed({ hosts, held, catalog }: ValueReportInput): PriceUsed[] {
  const declared = hosts.flatMap((host) => host.accelerators.map(({ kind }) => used(kind, host.host, host)));
  const gone = held.flatMap((h) => (declaredOf(h, hosts) ? [] : used(h.acceleratorKind, h.host, undefined)));
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
      usdPerHour: priceOf(declaredBy, acceleratorKind, catalog),
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
  const then = host?.catalog?.[kind];
  if (then !== undefined && then !== known?.usdPerHour) return 'the catalog, as it was then';
  return known?.usdPerHour == null ? 'none' : (known.priceSource ?? 'the catalog');
}
