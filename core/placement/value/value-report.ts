/**
 * Is it worth it: what accelerators cost over a period of the past, what was answered with that within the SLO, and what that earns by the values
 * that policies declare. Parts sum to the whole: a deployment's money divides between its policies and tenants by their time on engines, and what
 * no request caused stands on a line of its own, as idle accelerators do. Money that is not known is null, never 0.
 */
import { groupBy } from '../../domain/group-by.ts';
import type { AcceleratorUse } from '../cost.ts';
import { priceRefusals } from '../fleet-cost.ts';
import { compareText } from '../rank.ts';
import { breakEvenOf } from './break-even.ts';
import { added, declaredOf, figuresOf, moneyOf, NO_COUNTS, netOf, type Paid, priceOf, sumOf } from './figures.ts';
import { notesOf } from './notes.ts';
import { pricesUsed } from './prices.ts';
import type { DeploymentValue, HeldTime, HostTime, IdleValue, ValueFigures, ValueLine, ValueReport, ValueReportInput } from './types.ts';

export function valueReport(input: ValueReportInput): ValueReport {
  const { hosts, catalog } = input;
  const paid = new Map(input.held.map((h) => [h, moneyOf(declaredOf(h, hosts), h.acceleratorKind, h.acceleratorSeconds, catalog)]));
  const names = [...new Set([...input.held, ...input.served].map((part) => part.deployment))].sort(compareText);
  const lines = names.flatMap((name) => linesOf(name, input, paid));
  const deployments = names.map((name) =>
    deploymentValue(
      name,
      input,
      lines.filter((l) => l.deployment === name),
    ),
  );
  const idle = idleOf(input);
  const served = sumOf(lines);
  const idleUsd = added(idle.map((i) => i.spentUsd));
  const spentUsd = added([served.spentUsd, idleUsd]);
  const targets = new Map(input.policies.map((p) => [p.name, p.targets.attainment]));
  return {
    deployments,
    policies: by(lines, (l) => l.policy).map(([policy, figures]) => ({
      policy,
      targetAttainment: (policy !== null ? targets.get(policy) : undefined) ?? null,
      ...figures,
    })),
    tenants: by(lines, (l) => l.tenant).map(([tenant, figures]) => ({ tenant, ...figures })),
    lines,
    idle,
    prices: pricesUsed(input),
    totals: { served, idleUsd, spentUsd, netUsd: netOf(served.earnedUsd, served.penaltyUsd, spentUsd) },
    refusals: priceRefusals(unpricedUses(input), { byKind: catalog, byHost: {} }),
    notes: notesOf(input, lines, served),
  };
}

function linesOf(deployment: string, { served, held, policies }: ValueReportInput, paid: ReadonlyMap<HeldTime, Paid>): ValueLine[] {
  const parts = served.filter((s) => s.deployment === deployment);
  const own = held.filter((h) => h.deployment === deployment).map((h) => paid.get(h)!);
  const engineMs = parts.reduce((sum, p) => sum + p.engineMs, 0);
  // Something served them of which no record is left.
  const isUnknown = own.length === 0 && engineMs > 0;
  const whole: Paid = {
    acceleratorUsd: isUnknown ? null : added(own.map((p) => p.acceleratorUsd)),
    fixedUsd: own.reduce((sum, p) => sum + p.fixedUsd, 0),
  };
  const lines = parts.map((part): ValueLine => {
    const share = engineMs > 0 ? part.engineMs / engineMs : 0;
    // Nobody's: not 0 USD of something unknown, but none of it.
    const money = share > 0 ? sharedBy(whole, share) : NOTHING_PAID;
    const { engineMs: _, ...counts } = part;
    return { ...counts, ...figuresOf(part, money, policies.find((p) => p.name === part.policy)?.value) };
  });
  if (engineMs > 0 || own.length === 0) return lines;
  return [...lines, { deployment, policy: null, tenant: null, ...NO_COUNTS, ...figuresOf(NO_COUNTS, whole, undefined) }];
}

const NOTHING_PAID: Paid = { acceleratorUsd: 0, fixedUsd: 0 };
const sharedBy = ({ acceleratorUsd, fixedUsd }: Paid, share: number): Paid => ({
  acceleratorUsd: acceleratorUsd === null ? null : acceleratorUsd * share,
  fixedUsd: fixedUsd * share,
});

/** In the order of the keys, null last. */
function by(lines: readonly ValueLine[], key: (line: ValueLine) => string | null): [string | null, ValueFigures][] {
  return [...groupBy(lines, key)]
    .sort(([a], [b]) => (a === null || b === null ? Number(a === null) - Number(b === null) : compareText(a, b)))
    .map(([name, of]) => [name, sumOf(of)]);
}

function deploymentValue(deployment: string, input: ValueReportInput, lines: readonly ValueLine[]): DeploymentValue {
  const held = input.held.filter((h) => h.deployment === deployment);
  const figures = sumOf(lines);
  const hours = held.length === 0 ? null : Math.max(...held.map((h) => h.seconds)) / 3600;
  const unpriced = held.flatMap((h) =>
    priceOf(declaredOf(h, input.hosts), h.acceleratorKind, input.catalog) === null ? [h.acceleratorKind] : [],
  );
  return {
    deployment,
    simulated: held.length > 0 && held.every((h) => h.simulated),
    hours,
    acceleratorHours: held.reduce((sum, h) => sum + h.acceleratorSeconds, 0) / 3600,
    unpriced: [...new Set(unpriced)].sort(compareText),
    ...figures,
    requestsPerHour: hours === null || hours === 0 ? null : figures.requests / hours,
    breakEven: breakEvenOf(figures, hours, held, input),
  };
}

/** Of each host as it was last declared without one of its prices. */
function unpricedUses({ hosts, catalog }: ValueReportInput): AcceleratorUse[] {
  const unpriced = (host: HostTime) => host.accelerators.filter(({ kind }) => priceOf(host, kind, catalog) === null);
  const last = new Map(hosts.filter((host) => unpriced(host).length > 0).map((host) => [host.host, host]));
  return [...last.values()].flatMap((host) =>
    unpriced(host).map(({ kind, count }) => ({
      host: host.host,
      acceleratorKind: kind,
      accelerators: Array.from({ length: count }, (_, i) => i),
    })),
  );
}

/** By host and kind, however often the host was declared anew. */
function idleOf(input: ValueReportInput): IdleValue[] {
  const parts = input.hosts.flatMap((host) => idleWhileDeclared(host, input));
  return [...groupBy(parts, ({ host, acceleratorKind }) => JSON.stringify([host, acceleratorKind])).values()].map((of) => ({
    host: of[0]!.host,
    acceleratorKind: of[0]!.acceleratorKind,
    acceleratorHours: of.reduce((sum, part) => sum + part.acceleratorHours, 0),
    acceleratorUsd: added(of.map((part) => part.acceleratorUsd)),
    fixedUsd: of.reduce((sum, part) => sum + part.fixedUsd, 0),
    spentUsd: added(of.map((part) => part.spentUsd)),
  }));
}

/** External hosts are somebody else's. */
function idleWhileDeclared(host: HostTime, { held, hosts, catalog }: ValueReportInput): IdleValue[] {
  if (host.external) return [];
  const own = held.filter((h) => declaredOf(h, hosts) === host);
  return [...groupBy(host.accelerators, (a) => a.kind)].flatMap(([acceleratorKind, groups]) => {
    const there = groups.reduce((sum, g) => sum + g.count, 0) * host.seconds;
    const used = own.reduce((sum, h) => sum + (h.acceleratorKind === acceleratorKind ? h.acceleratorSeconds : 0), 0);
    const idleSeconds = Math.max(0, there - used);
    if (idleSeconds === 0) return [];
    const money = moneyOf(host, acceleratorKind, idleSeconds, catalog);
    const spentUsd = added([money.acceleratorUsd, money.fixedUsd]);
    return [{ host: host.host, acceleratorKind, acceleratorHours: idleSeconds / 3600, ...money, spentUsd }];
  });
}
