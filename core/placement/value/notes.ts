/** What has to be known to read a value report. */
import { counted } from '../../domain/counted.ts';
import { groupBy } from '../../domain/group-by.ts';
import { compareText } from '../rank.ts';
import { declaredOf, priceOf } from './figures.ts';
import type { HostTime, ValueFigures, ValueLine, ValueReportInput } from './types.ts';

export function notesOf({ held, hosts, catalog }: ValueReportInput, lines: readonly ValueLine[], served: ValueFigures): string[] {
  return [
    ...sharedReplicas(lines),
    ...unknownMoney(lines, held),
    ...unknownHosts(held, hosts),
    ...changedMoney(hosts, catalog),
    ...unvalued(served),
    ...simulated(held),
  ];
}

function sharedReplicas(lines: readonly ValueLine[]): string[] {
  const shared = [...groupBy(lines, (l) => l.deployment)].filter(([, of]) => of.filter((l) => l.policy !== null).length > 1);
  if (shared.length === 0) return [];
  const names = shared.map(([name]) => name).join(', ');
  return [`replicas are shared by policies and tenants (${names}): money is divided between them by their time on engines`];
}

function unknownMoney(lines: readonly ValueLine[], held: ValueReportInput['held']): string[] {
  const unknown = new Set(
    lines.filter((l) => l.spentUsd === null && !held.some((h) => h.deployment === l.deployment)).map((l) => l.deployment),
  );
  return [...unknown].map((name) => `${name} answered requests, and no record says which accelerators it held: its money is unknown`);
}

function unknownHosts(held: ValueReportInput['held'], hosts: ValueReportInput['hosts']): string[] {
  const unknown = new Set(held.flatMap((h) => (declaredOf(h, hosts) ? [] : [h.host])));
  return [...unknown]
    .sort(compareText)
    .map(
      (host) =>
        `no record says what host ${host} cost: its accelerators are counted at the catalog's price, without fixed costs and idle time`,
    );
}

function changedMoney(hosts: ValueReportInput['hosts'], catalog: ValueReportInput['catalog']): string[] {
  const money = (host: HostTime) =>
    JSON.stringify([host.fixedUsdPerMonth, host.accelerators.map(({ kind }) => [kind, priceOf(host, kind, catalog)])]);
  const changed = [...groupBy(hosts, (h) => h.host)].filter(([, terms]) => new Set(terms.map(money)).size > 1);
  if (changed.length === 0) return [];
  const names = changed.map(([name]) => name).join(', ');
  return [`prices of ${names} changed within the period: each hour is counted at what held then`];
}

function unvalued({ unvaluedRequests, requests }: ValueFigures): string[] {
  if (unvaluedRequests === 0) return [];
  return [`${unvaluedRequests} of ${counted(requests, 'request')} fall under policies that declare no value: they earn nothing here`];
}

function simulated(held: ValueReportInput['held']): string[] {
  const names = [...new Set(held.flatMap((h) => (h.simulated ? [h.deployment] : [])))].sort(compareText);
  return names.length === 0 ? [] : [`${names.join(', ')}: simulated, and the money is what such accelerators would cost`];
}
