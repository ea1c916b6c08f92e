/**
 * From counts to accelerators: which replica stands on which host. Replicas that are there stay where they are as long as the counts
 * keep them, unless a wide one finds no room between them. Replicas of one deployment go to different hosts as far as there are any.
 */
import type { Replica } from '../../../domain/replica.ts';
import { compareText } from '../../rank.ts';
import { type FleetInput, type FleetProblem, isPresent, shortfallOf } from '../problem.ts';
import {
  type Board,
  bestSite,
  deploymentOf,
  hold,
  mayShare,
  openBoard,
  type PackedReplica,
  put,
  putNew,
  type Site,
  sizeOf,
  takeAway,
} from './board.ts';

export interface Packing {
  replicas: PackedReplica[];
  /** Columns for which some replica found no host that may have it, with how many did: never where pools are as fine as can be. */
  shortOf: Map<number, number>;
}

/** @param counts replicas, one number a column */
export function pack(problem: FleetProblem, input: FleetInput, counts: readonly number[]): Packing {
  const spread = packOnce(openBoard(problem, input, counts, false), input, counts);
  if (spread.shortOf.size === 0 || problem.apart.length === 0) return spread;
  // Those that keep apart may have shut each other out by standing everywhere.
  const gathered = packOnce(openBoard(problem, input, counts, true), input, counts);
  return gathered.replicas.length > spread.replicas.length ? gathered : spread;
}

function packOnce(board: Board, input: FleetInput, counts: readonly number[]): Packing {
  const { problem, sites } = board;
  const left = [...counts];
  for (const replica of presentReplicas(board, input)) {
    const site = sites.get(replica.host)!;
    if (left[replica.column]! > 0 && mayShare(board, site, deploymentOf(problem, replica.column))) {
      put(board, site, replica);
      left[replica.column]!--;
    } else if (problem.mostMoves !== undefined) {
      // What leaves only once the new ones serve keeps its accelerators until then.
      hold(board, replica);
    }
  }
  const shortOf = new Map<number, number>();
  for (const column of widestFirst(problem)) {
    for (; left[column]! > 0; left[column]!--) {
      const site = bestSite(board, column) ?? (problem.mostMoves === undefined ? siteMadeFree(board, column, left) : undefined);
      if (!site) {
        shortOf.set(column, counts[column]! - left[column]!);
        break;
      }
      putNew(board, site, column);
    }
  }
  if (shortOf.size > 0 && problem.mostMoves === undefined) fillUp(board);
  return { replicas: [...sites.values()].flatMap((s) => s.replicas), shortOf };
}

/** What found no host is served in whatever other way there is room for, at the least money for what is served. */
function fillUp(board: Board): void {
  const { columns, wishes } = board.problem;
  const counts = columns.map(() => 0);
  for (const { replicas } of board.sites.values()) for (const { column } of replicas) counts[column]!++;
  for (;;) {
    const short = shortfallOf(board.problem, counts);
    const replicas = wishes.map((_, w) => columns.reduce((sum, c, i) => sum + (c.wish === w ? counts[i]! : 0), 0));
    const ways = columns.flatMap(({ wish, requestsPerSecond, usdPerHour }, column) => {
      const { unmetPerSecond, missingReplicas } = short[wish]!;
      if ((unmetPerSecond === 0 && missingReplicas === 0) || replicas[wish]! >= wishes[wish]!.maxReplicas) return [];
      const site = bestSite(board, column);
      return site
        ? [{ column, site, usd: unmetPerSecond > 0 ? usdPerHour / Math.min(requestsPerSecond, unmetPerSecond) : usdPerHour }]
        : [];
    });
    const [best] = ways.sort((a, b) => a.usd - b.usd);
    if (!best) return;
    putNew(board, best.site, best.column);
    counts[best.column]!++;
  }
}

/** The widest first: whatever is placed later then fits between. Of like ones the most numerous first: they need the most hosts. */
function widestFirst({ columns }: FleetProblem): number[] {
  return columns.map((_, i) => i).sort((a, b) => columns[b]!.width - columns[a]!.width || a - b);
}

/** The replicas that are there, in the order in which they are kept: of each column one a host first, so that those kept stand on many. */
function presentReplicas({ problem, sites }: Board, input: FleetInput): PackedReplica[] {
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
    return there
      .sort((a, b) => turn.get(a)! - turn.get(b)! || compareText(a.id, b.id))
      .map((r) => ({ column: c, host: r.host, accelerators: [...r.accelerators], presentId: r.id }));
  });
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
