/**
 * From counts to accelerators: which replica stands on which host. Replicas that are there stay where they are as long as the counts
 * keep them, unless a wide one finds no room between them. Replicas of one deployment go to different hosts as far as there are any.
 */
import type { Replica } from '../../domain/replica.ts';
import { apartOf } from '../affinity.ts';
import { compareText } from '../rank.ts';
import { type FleetInput, type FleetProblem, isPresent } from './problem.ts';

export interface PackedReplica {
  column: number;
  host: string;
  accelerators: number[];
  /** Of the replica that is there already. */
  presentId?: string;
}

export interface Packing {
  replicas: PackedReplica[];
  /** Columns for which some replica found no host that may have it, with how many did. */
  shortOf: Map<number, number>;
}

/** A host while replicas are put on it. */
interface Site {
  name: string;
  /** By accelerator kind: free indexes, lowest first. */
  free: Map<string, number[]>;
  replicas: PackedReplica[];
  /** Replicas by deployment, those of deployments that are not planned among them. */
  residents: Map<string, number>;
}

interface Board {
  problem: FleetProblem;
  sites: Map<string, Site>;
  /** By deployment: those whose hosts it may not share. */
  apart: Map<string, Set<string>>;
  /** Do deployments that keep away from others stand on few hosts, to leave them some? */
  gathered: boolean;
}

export function pack(problem: FleetProblem, input: FleetInput, counts: readonly number[]): Packing {
  const apart = apartOf(input.deployments.map((d) => d.spec));
  const spread = packOnce({ problem, sites: openSites(problem, input), apart, gathered: false }, input, counts);
  if (spread.shortOf.size === 0 || apart.size === 0) return spread;
  // Those that keep apart may have shut each other out by standing everywhere.
  const gathered = packOnce({ problem, sites: openSites(problem, input), apart, gathered: true }, input, counts);
  return gathered.replicas.length > spread.replicas.length ? gathered : spread;
}

function packOnce(board: Board, input: FleetInput, counts: readonly number[]): Packing {
  const { problem } = board;
  const left = [...counts];
  const there = presentReplicas(board, input);
  const kept = there.filter((r) => r.ordinal < counts[r.column]!);
  for (const { ordinal: _, ...replica } of kept) {
    put(board, board.sites.get(replica.host)!, replica);
    left[replica.column]!--;
  }
  // What leaves only once the new ones serve keeps its accelerators until then.
  if (problem.mostMoves !== undefined) for (const replica of there) if (!kept.includes(replica)) hold(board, replica);
  const shortOf = new Map<number, number>();
  for (const column of widestFirst(problem)) {
    for (; left[column]! > 0; left[column]!--) {
      const site = bestSite(board, column) ?? (problem.mostMoves === undefined ? siteMadeFree(board, column, left) : undefined);
      if (!site) {
        shortOf.set(column, counts[column]! - left[column]!);
        break;
      }
      const { kind, width } = sizeOf(problem, column);
      put(board, site, { column, host: site.name, accelerators: site.free.get(kind)!.slice(0, width) });
    }
  }
  return { replicas: [...board.sites.values()].flatMap((s) => s.replicas), shortOf };
}

function sizeOf({ pools, columns }: FleetProblem, column: number): { kind: string; width: number } {
  const { pool, width } = columns[column]!;
  return { kind: pools[pool]!.kind, width };
}

function deploymentOf({ wishes, columns }: FleetProblem, column: number): string {
  return wishes[columns[column]!.wish]!.deployment.spec.name;
}

/** The widest first: whatever is placed later then fits between. Of like ones the most numerous first: they need the most hosts. */
function widestFirst({ columns }: FleetProblem): number[] {
  return columns.map((_, i) => i).sort((a, b) => columns[b]!.width - columns[a]!.width || a - b);
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
  for (const { host, deployment } of replicas) {
    const site = planned.has(deployment) ? undefined : sites.get(host);
    site?.residents.set(deployment, (site.residents.get(deployment) ?? 0) + 1);
  }
  return sites;
}

/** The replicas that are there, numbered within their column in the order in which they are kept: one a host first, so that those kept stand on many. */
function presentReplicas({ problem, sites, apart }: Board, input: FleetInput): (PackedReplica & { ordinal: number })[] {
  return problem.columns.flatMap((column, c) => {
    if (column.present === 0) return [];
    const { deployment } = problem.wishes[column.wish]!;
    const pool = problem.pools[column.pool]!;
    const there = input.replicas.filter(
      (r) => isPresent(r, deployment, pool, column.shape.tensorParallel, column.width) && sites.has(r.host),
    );
    const seen = new Map<string, number>();
    const turn = new Map<Replica, number>();
    for (const replica of [...there].sort((a, b) => compareText(a.id, b.id))) {
      turn.set(replica, seen.get(replica.host) ?? 0);
      seen.set(replica.host, turn.get(replica)! + 1);
    }
    const alone = apart.get(deployment.spec.name)?.has(deployment.spec.name) ?? false;
    return there
      .sort((a, b) => turn.get(a)! - turn.get(b)! || compareText(a.id, b.id))
      .map((r, i) => ({
        ...{ column: c, host: r.host, accelerators: [...r.accelerators], presentId: r.id },
        // A second one on a host is not kept where replicas want a host each.
        ordinal: alone && turn.get(r)! > 0 ? Number.POSITIVE_INFINITY : i,
      }));
  });
}

function hold({ problem, sites }: Board, { column, host, accelerators }: PackedReplica): void {
  const { kind } = sizeOf(problem, column);
  const { free } = sites.get(host)!;
  free.set(
    kind,
    free.get(kind)!.filter((index) => !accelerators.includes(index)),
  );
}

function put(board: Board, site: Site, replica: PackedReplica): void {
  const deployment = deploymentOf(board.problem, replica.column);
  hold(board, replica);
  site.replicas.push(replica);
  site.residents.set(deployment, (site.residents.get(deployment) ?? 0) + 1);
}

function takeAway({ problem }: Board, site: Site, replica: PackedReplica): void {
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
function mayShare({ apart }: Board, site: Site, deployment: string): boolean {
  const others = apart.get(deployment);
  return !others || ![...others].some((other) => (site.residents.get(other) ?? 0) > 0);
}

/** The host with the fewest of its deployment; of those the fullest, so that whole hosts stay free. */
function bestSite(board: Board, column: number): Site | undefined {
  const { problem, sites, apart, gathered } = board;
  const { kind, width } = sizeOf(problem, column);
  const { spec } = problem.wishes[problem.columns[column]!.wish]!.deployment;
  const keepsApart = [...(apart.get(spec.name) ?? [])].some((other) => other !== spec.name);
  const spread = spec.placement.spread === 'host' && !(gathered && keepsApart);
  let best: Site | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  let fullest = Number.POSITIVE_INFINITY;
  for (const { host } of problem.pools[problem.columns[column]!.pool]!.hosts) {
    const site = sites.get(host.name)!;
    const free = site.free.get(kind)!.length;
    if (free < width || !mayShare(board, site, spec.name)) continue;
    const here = spread ? (site.residents.get(spec.name) ?? 0) : 0;
    if (here > fewest || (here === fewest && free >= fullest)) continue;
    [best, fewest, fullest] = [site, here, free];
  }
  return best;
}

/** Where narrower replicas that are there split up the room, those of one host move: the host where the fewest accelerators do. */
function siteMadeFree(board: Board, column: number, left: number[]): Site | undefined {
  const { problem, sites } = board;
  const { kind, width } = sizeOf(problem, column);
  const deployment = deploymentOf(problem, column);
  const options = problem.pools[problem.columns[column]!.pool]!.hosts.flatMap(({ host }) => {
    const site = sites.get(host.name)!;
    const movable = site.replicas.filter((r) => r.presentId && isNarrower(problem, r.column, kind, width)).sort(byWidth(problem));
    let free = site.free.get(kind)!.length;
    const leaving: PackedReplica[] = [];
    for (const replica of movable) {
      if (free >= width) break;
      leaving.push(replica);
      free += replica.accelerators.length;
    }
    const moved = leaving.reduce((sum, r) => sum + r.accelerators.length, 0);
    return free >= width && mayShare(board, site, deployment) ? [{ site, leaving, moved }] : [];
  });
  const [best] = options.sort((a, b) => a.moved - b.moved || compareText(a.site.name, b.site.name));
  for (const replica of best?.leaving ?? []) {
    takeAway(board, best!.site, replica);
    left[replica.column]!++;
  }
  return best?.site;
}

function isNarrower(problem: FleetProblem, column: number, kind: string, width: number): boolean {
  const size = sizeOf(problem, column);
  return size.kind === kind && size.width < width;
}

function byWidth(problem: FleetProblem) {
  return (a: PackedReplica, b: PackedReplica) => sizeOf(problem, b.column).width - sizeOf(problem, a.column).width;
}
