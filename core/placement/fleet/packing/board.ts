/** Hosts while replicas are put on them, one after the other. */
import { holdsAccelerators } from '../../../domain/replica.ts';
import { apartOf } from '../../affinity.ts';
import type { FleetInput, FleetProblem } from '../problem.ts';
import { SPREAD_PREMIUM } from './spread.ts';

export interface PackedReplica {
  column: number;
  host: string;
  accelerators: number[];
  /** Of the replica that is there already. */
  presentId?: string;
}

/** A host while replicas are put on it. */
export interface Site {
  name: string;
  /** By accelerator kind: free indexes, lowest first. */
  free: Map<string, number[]>;
  replicas: PackedReplica[];
  /** Replicas by deployment, those of deployments that are not planned among them. */
  residents: Map<string, number>;
}

export interface Board {
  problem: FleetProblem;
  sites: Map<string, Site>;
  /** By pool: of its hosts, the cheapest first, how many to fill before any other. */
  enough: number[];
  /** By deployment: those whose hosts it may not share. */
  apart: Map<string, Set<string>>;
  /** Do deployments that keep away from others stand on few hosts, to leave them some? */
  gathered: boolean;
}

/** @param counts replicas a column that are to be put */
export function openBoard(problem: FleetProblem, input: FleetInput, counts: readonly number[], gathered: boolean): Board {
  const enough = problem.pools.map((_, p) => hostsEnough(problem, p, counts));
  return { problem, sites: openSites(problem, input), enough, apart: apartOf(input.deployments.map((d) => d.spec)), gathered };
}

/** The fewest that have room for them, and others that are hardly dearer. */
function hostsEnough({ pools, columns }: FleetProblem, p: number, counts: readonly number[]): number {
  const { hosts } = pools[p]!;
  const own = columns.flatMap(({ pool, width }, i) => (pool === p && counts[i]! > 0 ? [{ width, taken: counts[i]! * width }] : []));
  const widths = [...new Set(own.map((c) => c.width))];
  const left = widths.map((w) => own.reduce((sum, { width, taken }) => sum + (width >= w ? taken : 0), 0));
  let enough = 0;
  for (; enough < hosts.length && left.some((n) => n > 0); enough++) {
    for (const [k, w] of widths.entries()) left[k]! -= Math.floor(hosts[enough]!.accelerators.length / w) * w;
  }
  const most = hosts[Math.max(0, enough - 1)]!.usdPerHour * (1 + SPREAD_PREMIUM);
  while (enough < hosts.length && hosts[enough]!.usdPerHour <= most) enough++;
  return enough;
}

export function sizeOf({ pools, columns }: FleetProblem, column: number): { kind: string; width: number } {
  const { pool, width } = columns[column]!;
  return { kind: pools[pool]!.kind, width };
}

export function deploymentOf({ wishes, columns }: FleetProblem, column: number): string {
  return wishes[columns[column]!.wish]!.deployment.spec.name;
}

function openSites({ pools }: FleetProblem, { deployments, replicas }: FleetInput): Map<string, Site> {
  const sites = new Map<string, Site>();
  for (const { kind, hosts } of pools) {
    for (const { host, accelerators } of hosts) {
      const site = sites.get(host.name) ?? { name: host.name, free: new Map(), replicas: [], residents: new Map() };
      site.free.set(kind, [...accelerators]);
      sites.set(host.name, site);
    }
  }
  const planned = new Set(deployments.map((d) => d.spec.name));
  for (const { host, deployment, state } of replicas) {
    const site = planned.has(deployment) || !holdsAccelerators(state) ? undefined : sites.get(host);
    site?.residents.set(deployment, (site.residents.get(deployment) ?? 0) + 1);
  }
  return sites;
}

export function hold({ problem, sites }: Board, { column, host, accelerators }: PackedReplica): void {
  const { kind } = sizeOf(problem, column);
  const { free } = sites.get(host)!;
  free.set(
    kind,
    free.get(kind)!.filter((index) => !accelerators.includes(index)),
  );
}

export function put(board: Board, site: Site, replica: PackedReplica): void {
  const deployment = deploymentOf(board.problem, replica.column);
  hold(board, replica);
  site.replicas.push(replica);
  site.residents.set(deployment, (site.residents.get(deployment) ?? 0) + 1);
}

export function putNew(board: Board, site: Site, column: number): void {
  const { kind, width } = sizeOf(board.problem, column);
  put(board, site, { column, host: site.name, accelerators: site.free.get(kind)!.slice(0, width) });
}

export function takeAway({ problem }: Board, site: Site, replica: PackedReplica): void {
  const { kind } = sizeOf(problem, replica.column);
  const deployment = deploymentOf(problem, replica.column);
  site.free.set(
    kind,
    [...site.free.get(kind)!, ...replica.accelerators].sort((a, b) => a - b),
  );
  site.replicas.splice(site.replicas.indexOf(replica), 1);
  site.residents.set(deployment, site.residents.get(deployment)! - 1);
}

/** May a replica of this deployment stand here, whatever room there is? */
export function mayShare({ apart }: Board, site: Site, deployment: string): boolean {
  const others = apart.get(deployment);
  return !others || ![...others].some((other) => (site.residents.get(other) ?? 0) > 0);
}

/** Of the hosts to fill first, the one with the fewest of its deployment; of those the fullest, so that whole hosts stay free. */
export function bestSite(board: Board, column: number): Site | undefined {
  const { problem, sites, apart, gathered, enough } = board;
  const { kind, width } = sizeOf(problem, column);
  const { wish, pool } = problem.columns[column]!;
  const { spec } = problem.wishes[wish]!.deployment;
  const keepsApart = [...(apart.get(spec.name) ?? [])].some((other) => other !== spec.name);
  const spread = spec.placement.spread === 'host' && !(gathered && keepsApart);
  let best: Site | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  let fullest = Number.POSITIVE_INFINITY;
  for (const [h, { host }] of problem.pools[pool]!.hosts.entries()) {
    if (best && h >= enough[pool]!) break;
    const site = sites.get(host.name)!;
    const free = site.free.get(kind)!.length;
    if (free < width || !mayShare(board, site, spec.name)) continue;
    const here = spread ? (site.residents.get(spec.name) ?? 0) : 0;
    if (here > fewest || (here === fewest && free >= fullest)) continue;
    [best, fewest, fullest] = [site, here, free];
  }
  return best;
}
