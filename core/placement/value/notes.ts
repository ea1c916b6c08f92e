/** What has to be known to read a value report. */
import { counted } from '../../domain/counted.ts';
import { groupBy } from '../../domain/group-by.ts';
import { compareText } from '../rank.ts';
import type { ValueFigures, ValueLine, ValueReportInput } from './types.ts';

export function notesOf({ held, hosts }: ValueReportInput, lines: readonly ValueLine[], served: ValueFigures): string[] {
  return [...sharedReplicas(lines), ...unknownMoney(lines, held), ...goneHosts(held, hosts), ...unvalued(served), ...simulated(held)];
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

function goneHosts(held: ValueReportInput['held'], hosts: ValueReportInput['hosts']): string[] {
  const gone = new Set(held.flatMap(({ host }) => (hosts.some((h) => h.host === host) ? [] : [host])));
  return [...gone]
    .sort(compareText)
    .map(
      (host) =>
        `host ${host} is not declared any more: its accelerators are counted at the catalog's price, without fixed costs and idle time`,
    );
}

function unvalued({ unvaluedRequests, requests }: ValueFigures): string[] {
  if (unvaluedRequests === 0) return [];
  return [`${unvaluedRequests} of ${counted(requests, 'request')} fall under policies that declare no value: they earn nothing here`];
}

function simulated(held: ValueReportInput['held']): string[] {
  const names = [...new Set(held.flatMap((h) => (h.simulated ? [h.deployment] : [])))].sort(compareText);
  return names.length === 0 ? [] : [`${names.join(', ')}: simulated, and the money is what such accelerators would cost`];
}
