/** Hosts that are alike for planning, taken together: which they are, what room they have, what their accelerators cost. */
import type { HostState } from '../../domain/fleet.ts';
import { isSchedulable } from '../../domain/fleet.ts';
import { holdsAccelerators } from '../../domain/replica.ts';
import { apartOf } from '../affinity.ts';
import { isAllowed } from '../choose.ts';
import { pricePerHour } from '../cost.ts';
import { occupancyOf } from '../occupancy.ts';
import { widthsOf } from '../shapes.ts';
import type { FleetInput } from './problem.ts';

/** Accelerators of one kind on hosts that are alike: behind the same links, open to the same deployments. */
export interface Pool {
  kind: string;
  /** The cheapest first. */
  hosts: PoolHost[];
  /** Of one accelerator, the least where hosts differ. */
  usdPerHour: number;
  /** Deployments that may stand here. */
  open: readonly string[];
  /** Pools of the same place are accelerators of the same hosts. */
  place: string;
}

export interface PoolHost {
  host: HostState;
  /** Indexes of the accelerators that planned deployments may have: all that nobody else holds. */
  accelerators: number[];
  /** Of these, how many nobody at all holds now. */
  free: number;
  /** Of one accelerator. */
  usdPerHour: number;
}

/** How fine pools are: whatever it costs, as few as can be, or fine where they are few enough. */
export type Grain = 'fine' | 'coarse' | 'affordable';

/** With more choices of a deployment and a pool than this, hosts of different prices are one pool, and so are those where deployments must not meet. */
const FINE_CHOICES = 500;

/**
 * As fine as makes counts exact: pools of one price, and of one host each where it matters who stands beside whom, or where only trying
 * tells whether widths fit. Coarse ones, hosts of one kind behind the same links, where that would be too many.
 */
export function poolsOf(input: FleetInput, grain: Grain): Pool[] {
  const apart = apartOf(input.deployments.map((d) => d.spec));
  const byHost = input.deployments.some((d) => apart.has(d.spec.name) || widthsOf(d).some((width) => !Number.isInteger(Math.log2(width))));
  const hosts = openHosts(input, apart);
  const fine = pooled(hosts, ({ host, usdPerHour }) => (byHost ? host.name : String(usdPerHour)));
  const choices = fine.reduce((sum, pool) => sum + pool.open.length, 0);
  return grain === 'fine' || (grain !== 'coarse' && choices <= FINE_CHOICES) ? fine : pooled(hosts, () => '');
}

/** Accelerators of one kind of one host. */
interface OpenHost extends PoolHost {
  kind: string;
  /** Deployments that may stand here. */
  open: string[];
}

function openHosts({ hosts, prices, replicas, deployments }: FleetInput, apart: ReadonlyMap<string, ReadonlySet<string>>): OpenHost[] {
  const planned = new Set(deployments.map((d) => d.spec.name));
  const others = replicas.filter((r) => !planned.has(r.deployment));
  const all = occupancyOf(hosts, replicas);
  const left = occupancyOf(hosts, others);
  /** Is there one that is not planned, and that it keeps away from? */
  const shut = (name: string, host: string) =>
    others.some((r) => r.host === host && holdsAccelerators(r.state) && apart.get(name)?.has(r.deployment));
  return hosts.filter(isSchedulable).flatMap((host) =>
    [...new Set(host.accelerators)].flatMap((kind) => {
      const usdPerHour = pricePerHour(prices, host.name, kind);
      const accelerators = left.free(host, kind);
      if (usdPerHour === null || accelerators.length === 0) return [];
      const open = deployments.filter((d) => isAllowed(d, host, kind) && !shut(d.spec.name, host.name)).map((d) => d.spec.name);
      return [{ host, kind, accelerators, free: all.free(host, kind).length, usdPerHour, open }];
    }),
  );
}

/** @param finer hosts are in one pool only where this is the same for them, too */
function pooled(hosts: readonly OpenHost[], finer: (host: OpenHost) => string): Pool[] {
  const pools = new Map<string, OpenHost[]>();
  for (const open of hosts) {
    const key = JSON.stringify([open.kind, open.host.links, open.host.simulated, open.open, finer(open)]);
    const members = pools.get(key) ?? [];
    members.push(open);
    pools.set(key, members);
  }
  return [...pools.values()].map((members) => {
    const [{ kind, open }] = members as [OpenHost];
    const cheapestFirst = members.sort((a, b) => a.usdPerHour - b.usdPerHour);
    const place = cheapestFirst.map(({ host }) => host.name).join(' ');
    return { kind, open, hosts: cheapestFirst, usdPerHour: cheapestFirst[0]!.usdPerHour, place };
  });
}

/** Replicas of a width that a pool has room for, were it empty. */
export function slots({ hosts }: Pool, width: number): number {
  return hosts.reduce((sum, { accelerators }) => sum + Math.floor(accelerators.length / width), 0);
}

/**
 * Accelerators that replicas of these widths can take of a pool at most: on each host a multiple of what all widths are multiples of.
 * @param of a host: all that planned deployments may have, or those that are free now
 */
export function takeable({ hosts }: Pool, widths: readonly number[], of: (host: PoolHost) => number = allOf): number {
  const step = widths.reduce(greatestCommonDivisor);
  return hosts.reduce((sum, host) => sum + Math.floor(of(host) / step) * step, 0);
}

const allOf = ({ accelerators }: PoolHost) => accelerators.length;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Replicas of a width that one host of a pool has room for at most. */
export function slotsOfAHost({ hosts }: Pool, width: number): number {
  return Math.floor(Math.max(...hosts.map(({ accelerators }) => accelerators.length)) / width);
}

/** Accelerators of a pool at one price. */
export interface PriceTier {
  accelerators: number;
  /** Of one accelerator, above the pool's least. */
  extraUsdPerHour: number;
}

/** The cheapest first; none where all hosts have the same price. */
export function priceTiers({ hosts, usdPerHour: least }: Pool): PriceTier[] {
  const tiers: PriceTier[] = [];
  for (const { accelerators, usdPerHour } of hosts) {
    const extraUsdPerHour = usdPerHour - least;
    const last = tiers.at(-1);
    if (last?.extraUsdPerHour === extraUsdPerHour) last.accelerators += accelerators.length;
    else tiers.push({ accelerators: accelerators.length, extraUsdPerHour });
  }
  return tiers.length > 1 ? tiers : [];
}
