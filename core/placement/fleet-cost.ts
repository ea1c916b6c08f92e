/**
 * What serving costs now: the money of each deployment's accelerators over what it answers, how that money divides between SLO policies,
 * and what idles. A kind without a price makes the money of whoever holds it unknown, and is named; it is never counted as zero.
 */
import type { HostState } from '../domain/fleet.ts';
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators, type Replica } from '../domain/replica.ts';
import { FALLBACK_POLICY, type SloPolicy } from '../domain/slo-policy.ts';
import { type AcceleratorUse, costPerHour, pricePerHour } from './cost.ts';
import type { FleetInput } from './fleet/problem.ts';
import { occupancyOf } from './occupancy.ts';
import { compareText } from './rank.ts';
import { openShapeBook } from './shapes.ts';
import type { Prices } from './types.ts';

/** What came for one deployment under one policy in the time that is looked at. */
export interface PolicyTraffic {
  deployment: string;
  policy: string;
  /** All that arrived, what was shed, cancelled or failed among them. */
  requests: number;
  answered: number;
  /** Of the answered ones, as the three below. */
  inputTokens: number;
  outputTokens: number;
  /** From leaving the queue to the last token, summed up. */
  engineMs: number;
  /** Requests that have a verdict on their SLO: all but cancelled ones. */
  judged: number;
  attained: number;
}

export interface FleetCostInput extends FleetInput {
  policies: readonly SloPolicy[];
  traffic: readonly PolicyTraffic[];
  /** For how long traffic was counted, s; above 0. */
  windowSeconds: number;
  /** Of deployments that have cost money for less than that: for how long, s. */
  youngSeconds: Readonly<Record<string, number>>;
}

/** Money per unit of what is answered; null where a price is unknown or nothing was answered. */
export interface UnitCosts {
  usdPerThousandRequests: number | null;
  /** Input and output together. */
  usdPerMillionTokens: number | null;
  usdPerMillionOutputTokens: number | null;
}

export interface DeploymentCost extends UnitCosts {
  deployment: string;
  /** Are all of its replicas imitations? Then so is the money. */
  simulated: boolean;
  /** That hold accelerators, whether or not they serve yet. */
  replicas: number;
  accelerators: { kind: string; count: number }[];
  usdPerHour: number | null;
  /** Kinds among its accelerators that have no price. */
  unpriced: string[];
  observedSeconds: number;
  requestsPerSecond: number;
  answeredPerSecond: number;
  /** What its ready replicas can serve within its targets; null where their model or shape is unknown. */
  capacityRequestsPerSecond: number | null;
  /** Arrivals over capacity. */
  utilisation: number | null;
}

export interface PolicyCost extends Pick<UnitCosts, 'usdPerThousandRequests'> {
  policy: string;
  deployment: string;
  requests: number;
  /** Of its deployment's time on engines, 0 to 1: also of its money. null where no time was recorded. */
  share: number | null;
  usdPerHour: number | null;
  /** Share of the requests that met every target; null where none has a verdict. */
  attainment: number | null;
  targetAttainment: number | null;
  /** What the policy declares, and what that comes to: answers earn, violations cost. null where it declares none. */
  value: { usdPerRequest: number; usdPerViolation: number; usdPerHour: number } | null;
}

/** Accelerators of one kind that no replica holds, on hosts of this installation. */
export interface IdleAccelerators {
  kind: string;
  count: number;
  hosts: number;
  usdPerHour: number | null;
}

export interface Money {
  accelerators: number;
  /** null where any of the accelerators has no price. */
  usdPerHour: number | null;
  /** Of those that have one. */
  pricedUsdPerHour: number;
}

export interface FleetCost {
  deployments: DeploymentCost[];
  policies: PolicyCost[];
  idle: IdleAccelerators[];
  totals: { held: Money; idle: Money; requestsPerSecond: number } & UnitCosts;
  /** One for each kind that has no price somewhere: which hosts it is on, and what would help. */
  refusals: Refusal[];
}

export function fleetCost(input: FleetCostInput): FleetCost {
  const { prices, traffic } = input;
  const held = input.replicas.filter((r) => holdsAccelerators(r.state));
  const idle = idleUses(input.hosts, held);
  const names = new Set([...input.deployments.map((d) => d.spec.name), ...held.map((r) => r.deployment)]);
  const deployments = [...names].sort(compareText).map((name) =>
    deploymentCost(
      input,
      name,
      held.filter((r) => r.deployment === name),
    ),
  );
  const rates = deployments.map((d) => ratesOf(of(traffic, d.deployment), d.observedSeconds));
  const heldMoney = moneyOf(held, prices);
  return {
    deployments,
    policies: deployments.flatMap((d) => policyCosts(input, d)),
    idle: idleByKind(idle, prices),
    totals: {
      held: heldMoney,
      idle: moneyOf(idle, prices),
      requestsPerSecond: deployments.reduce((sum, d) => sum + d.requestsPerSecond, 0),
      ...unitCosts(heldMoney.usdPerHour, addedUp(rates)),
    },
    refusals: priceRefusals([...held, ...idle], prices),
  };
}

/** What is answered, per second. */
interface Rates {
  answered: number;
  inputTokens: number;
  outputTokens: number;
}

function deploymentCost(input: FleetCostInput, deployment: string, held: readonly Replica[]): DeploymentCost {
  const { usdPerHour, unpriced } = costPerHour(held, input.prices);
  const traffic = of(input.traffic, deployment);
  const observedSeconds = input.youngSeconds[deployment] ?? input.windowSeconds;
  const rates = ratesOf(traffic, observedSeconds);
  const requestsPerSecond = traffic.reduce((sum, t) => sum + t.requests, 0) / observedSeconds;
  const capacity = capacityOf(input, deployment, held);
  return {
    deployment,
    simulated: held.length > 0 && held.every((r) => r.simulated),
    replicas: held.length,
    accelerators: countByKind(held),
    usdPerHour,
    unpriced,
    observedSeconds,
    requestsPerSecond,
    answeredPerSecond: rates.answered,
    capacityRequestsPerSecond: capacity,
    utilisation: capacity === null || capacity === 0 ? null : requestsPerSecond / capacity,
    ...unitCosts(usdPerHour, rates),
  };
}

function capacityOf(input: FleetCostInput, name: string, held: readonly Replica[]): number | null {
  const deployment = input.deployments.find((d) => d.spec.name === name);
  const book = openShapeBook(input);
  const capacities = held
    .filter((r) => r.state === 'ready')
    .map((r) => {
      const host = input.hosts.find((h) => h.name === r.host);
      return (deployment && host && book.shape(deployment, host, r.acceleratorKind, r.tensorParallel))?.capacity.requestsPerSecond;
    });
  return capacities.length === 0 || capacities.includes(undefined) ? null : capacities.reduce<number>((sum, c) => sum + c!, 0);
}

function policyCosts({ traffic, policies }: FleetCostInput, { deployment, usdPerHour, observedSeconds }: DeploymentCost): PolicyCost[] {
  const own = of(traffic, deployment);
  const engineMs = own.reduce((sum, t) => sum + t.engineMs, 0);
  return own
    .map((t): PolicyCost => {
      const share = engineMs > 0 ? t.engineMs / engineMs : null;
      const usd = usdPerHour === null || share === null ? null : usdPerHour * share;
      const policy = [...policies, FALLBACK_POLICY].find((p) => p.name === t.policy);
      return {
        policy: t.policy,
        deployment,
        requests: t.requests,
        share,
        usdPerHour: usd,
        usdPerThousandRequests: perUnit(usd, t.answered / observedSeconds, 1000),
        attainment: t.judged > 0 ? t.attained / t.judged : null,
        targetAttainment: policy?.targets.attainment ?? null,
        value: policy?.value ? worthOf(policy.value, t, observedSeconds) : null,
      };
    })
    .sort((a, b) => compareText(a.policy, b.policy));
}

function worthOf(declared: NonNullable<SloPolicy['value']>, traffic: PolicyTraffic, seconds: number) {
  const { earnedUsd, penaltyUsd } = earningsOf(declared, traffic);
  return { ...declared, usdPerHour: ((earnedUsd - penaltyUsd) * 3600) / seconds };
}

/** What a policy's declared value comes to: every answer earns, every violation costs, a late answer does both. */
export function earningsOf(
  { usdPerRequest, usdPerViolation }: NonNullable<SloPolicy['value']>,
  { answered, judged, attained }: Pick<PolicyTraffic, 'answered' | 'judged' | 'attained'>,
): { earnedUsd: number; penaltyUsd: number } {
  return { earnedUsd: answered * usdPerRequest, penaltyUsd: (judged - attained) * usdPerViolation };
}

function of(traffic: readonly PolicyTraffic[], deployment: string): PolicyTraffic[] {
  return traffic.filter((t) => t.deployment === deployment);
}

function ratesOf(traffic: readonly PolicyTraffic[], seconds: number): Rates {
  const rate = (field: keyof Rates) => traffic.reduce((sum, t) => sum + t[field], 0) / seconds;
  return { answered: rate('answered'), inputTokens: rate('inputTokens'), outputTokens: rate('outputTokens') };
}

function addedUp(rates: readonly Rates[]): Rates {
  const sum = (field: keyof Rates) => rates.reduce((total, r) => total + r[field], 0);
  return { answered: sum('answered'), inputTokens: sum('inputTokens'), outputTokens: sum('outputTokens') };
}

function unitCosts(usdPerHour: number | null, { answered, inputTokens, outputTokens }: Rates): UnitCosts {
  return {
    usdPerThousandRequests: perUnit(usdPerHour, answered, 1e3),
    usdPerMillionTokens: perUnit(usdPerHour, inputTokens + outputTokens, 1e6),
    usdPerMillionOutputTokens: perUnit(usdPerHour, outputTokens, 1e6),
  };
}

/** USD of so many units at a rate of them a second; null where money or units are not known. */
export function perUnit(usdPerHour: number | null, perSecond: number, units: number): number | null {
  return usdPerHour === null || perSecond <= 0 ? null : (usdPerHour * units) / (perSecond * 3600);
}

/** Accelerators that nobody holds; hosts that take no new work cost money too, external ones are somebody else's. */
function idleUses(hosts: readonly HostState[], held: readonly Replica[]): AcceleratorUse[] {
  const occupancy = occupancyOf(hosts, held);
  return hosts
    .filter((h) => !h.external)
    .flatMap((host) =>
      [...new Set(host.accelerators)]
        .map((kind) => ({ host: host.name, acceleratorKind: kind, accelerators: occupancy.free(host, kind) }))
        .filter((use) => use.accelerators.length > 0),
    );
}

function idleByKind(idle: readonly AcceleratorUse[], prices: Prices): IdleAccelerators[] {
  return countByKind(idle).map(({ kind, count }) => {
    const uses = idle.filter((use) => use.acceleratorKind === kind);
    return { kind, count, hosts: new Set(uses.map((use) => use.host)).size, usdPerHour: costPerHour(uses, prices).usdPerHour };
  });
}

function moneyOf(uses: readonly AcceleratorUse[], prices: Prices): Money {
  const priced = uses.filter((use) => isPriced(use, prices));
  return {
    accelerators: uses.reduce((sum, use) => sum + use.accelerators.length, 0),
    usdPerHour: costPerHour(uses, prices).usdPerHour,
    pricedUsdPerHour: costPerHour(priced, prices).usdPerHour ?? 0,
  };
}

function countByKind(uses: readonly AcceleratorUse[]): { kind: string; count: number }[] {
  const kinds = [...new Set(uses.map((use) => use.acceleratorKind))].sort(compareText);
  return kinds.map((kind) => ({
    kind,
    count: uses.reduce((sum, use) => sum + (use.acceleratorKind === kind ? use.accelerators.length : 0), 0),
  }));
}

const isPriced = ({ host, acceleratorKind }: AcceleratorUse, prices: Prices) => pricePerHour(prices, host, acceleratorKind) !== null;

/** So many hosts are named; more are counted. */
const NAMED_HOSTS = 4;

export function priceRefusals(uses: readonly AcceleratorUse[], prices: Prices): Refusal[] {
  const unpriced = uses.filter((use) => !isPriced(use, prices));
  return countByKind(unpriced).map(({ kind, count }): Refusal => {
    const hosts = [...new Set(unpriced.flatMap((use) => (use.acceleratorKind === kind ? [use.host] : [])))].sort(compareText);
    const named = hosts.slice(0, NAMED_HOSTS).join(', ');
    const where = `${hosts.length > 1 ? 'hosts' : 'host'} ${named}${hosts.length > NAMED_HOSTS ? ` and ${hosts.length - NAMED_HOSTS} more` : ''}`;
    return {
      kind: 'refused',
      on: 'price',
      subject: kind,
      message: `${count} ${kind} of ${where} ${count > 1 ? 'have' : 'has'} no price, neither in the catalog nor on the host`,
      nearest: `give usdPerHour for ${kind} on ${where}`,
    };
  });
}
