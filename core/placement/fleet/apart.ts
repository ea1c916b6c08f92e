/**
 * Deployments that keep away from each other, in counts: how many hosts of a place each claims. Where places are single hosts, as the
 * finest pools have them, this is all there is to say; of more hosts it is what must hold at least.
 */
import { slotsOfAHost } from './pools.ts';
import type { FleetProblem } from './problem.ts';

/** What a wish that keeps away from others has on one place. */
export interface Claim {
  wish: number;
  /** Hosts that there are. */
  hosts: number;
  /** Its columns here, and of each how many replicas a host takes at most. */
  columns: { column: number; aHost: number }[];
  /** Claims of the same place that may not meet this one, by index. */
  rivals: number[];
  /** Does each of its replicas want a host of its own? */
  alone: boolean;
}

export function claimsOf(problem: FleetProblem): Claim[] {
  const { pools, columns, apart } = problem;
  if (apart.length === 0) return [];
  const byKey = new Map<string, Claim & { place: string }>();
  const keeping = new Set(apart.flat());
  const alone = new Set(apart.flatMap(([w, other]) => (w === other ? [w] : [])));
  for (const [column, { wish, pool: p, width }] of columns.entries()) {
    if (!keeping.has(wish)) continue;
    const pool = pools[p]!;
    const key = `${wish} ${pool.place}`;
    const claim = byKey.get(key) ?? { wish, place: pool.place, hosts: pool.hosts.length, columns: [], rivals: [], alone: alone.has(wish) };
    claim.columns.push({ column, aHost: Math.min(slotsOfAHost(pool, width), mostOfUse(problem, column)) });
    byKey.set(key, claim);
  }
  const claims = [...byKey.values()];
  const at = new Map([...byKey.keys()].map((key, index) => [key, index]));
  for (const { place, wish, rivals } of claims) {
    for (const [w, other] of apart) {
      const rival = w === other ? undefined : wish === w ? other : wish === other ? w : undefined;
      const index = rival === undefined ? undefined : at.get(`${rival} ${place}`);
      if (index !== undefined) rivals.push(index);
    }
  }
  return claims;
}

/** Replicas of a column beyond which one more serves nobody. */
function mostOfUse({ wishes, columns }: FleetProblem, column: number): number {
  const { wish, requestsPerSecond, present } = columns[column]!;
  const { requestsPerSecond: demand, minReplicas } = wishes[wish]!;
  return Math.max(1, present, minReplicas, Math.ceil(demand / requestsPerSecond));
}

/** Hosts that so many replicas a column claim at least. */
export function claimed({ columns }: Claim, counts: readonly number[]): number {
  return columns.reduce((most, { column, aHost }) => Math.max(most, Math.ceil(counts[column]! / aHost)), 0);
}

/** How many more replicas of a column find a host, beside those that keep away from it. */
export function roomApart(claims: readonly Claim[], own: Claim, column: number, counts: readonly number[]): number {
  const { hosts, alone, rivals, columns } = own;
  const taken = rivals.reduce((most, r) => Math.max(most, claimed(claims[r]!, counts)), 0);
  const { aHost } = columns.find((c) => c.column === column)!;
  const beside = aHost * (hosts - taken) - counts[column]!;
  return alone ? Math.min(beside, hosts - columns.reduce((sum, c) => sum + counts[c.column]!, 0)) : beside;
}
