/**
 * Is it worth it: what accelerators cost over a period of the past, what was answered with that within the SLO, and what that earns by the values
 * that policies declare. Parts sum to the whole: a deployment's money divides between its policies and tenants by their time on engines, and what
 * no request caused stands on a line of its own, as idle accelerators do. Money that is not known is null, never 0.
 */
import { groupBy } from '../../domain/group-by.ts';
import { pricePerHour } from '../cost.ts';
import { priceRefusals } from '../fleet-cost.ts';
import { compareText } from '../rank.ts';
import { breakEvenOf } from './break-even.ts';
import { added, figuresOf, moneyOf, NO_COUNTS, netOf, type Paid, sumOf } from './figures.ts';
import { notesOf } from './notes.ts';
import { pricesUsed } from './prices.ts';
import type { DeploymentValue, HeldTime, HostTime, IdleValue, ValueFigures, ValueLine, ValueReport, ValueReportInput } from './types.ts';

export function valueReport(input: ValueReportInput): ValueReport {
  const paid = new Map(input.held.map((h) => [h, moneyOf(h.host, h.acceleratorKind, h.acceleratorSeconds, input)]));
  const names = [...new Set([...input.held, ...input.served].map((part) => part.deployment))].sort(compareText);
  const lines = names.flatMap((name) => linesOf(name, input, paid));
  const deployments = names.map((name) =>
    deploymentValue(
      name,
      input,
      lines.filter((l) => l.deployment === name),
    ),
  );
  const idle = input.hosts.flatMap((host) => idleOn(host, input));
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
    refusals: priceRefusals(
      input.hosts.flatMap(({ host, accelerators }) =>
        accelerators.map((a) => ({ host, acceleratorKind: a.kind, accelerators: Array.from({ length: a.count }, (_, i) => i) })),
      ),
      input.prices,
    ),
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
  const unpriced = held.flatMap((h) => (pricePerHour(input.prices, h.host, h.acceleratorKind) === null ? [h.acceleratorKind] : []));
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

/** External hosts are somebody else's. */
function idleOn({ host, external, seconds, accelerators }: HostTime, input: ValueReportInput): IdleValue[] {
  if (external) return [];
  return [...groupBy(accelerators, (a) => a.kind)].flatMap(([acceleratorKind, groups]) => {
    const there = groups.reduce((sum, g) => sum + g.count, 0) * seconds;
    const held = input.held.reduce(
      (sum, h) => sum + (h.host === host && h.acceleratorKind === acceleratorKind ? h.acceleratorSeconds : 0),
      0,
    );
    const idleSeconds = Math.max(0, there - held);
    if (idleSeconds === 0) return [];
    const money = moneyOf(host, acceleratorKind, idleSeconds, input);
    return [
      { host, acceleratorKind, acceleratorHours: idleSeconds / 3600, ...money, spentUsd: added([money.acceleratorUsd, money.fixedUsd]) },
    ];
  });
}
