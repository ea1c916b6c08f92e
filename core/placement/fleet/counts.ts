/** Replicas a column while greedy and local search try them: what still fits, what is still unmet, what it costs. */
import { type Claim, claimsOf, roomApart } from './apart.ts';
import { takeable } from './pools.ts';
import type { FleetProblem } from './problem.ts';

export interface Counts {
  readonly values: number[];
  /** How many more replicas of a column fit its pool and its deployment's maximum. */
  room(column: number): number;
  add(column: number, replicas: number): void;
  /** Demand of a wish that nothing serves, requests a second. */
  unmet(wish: number): number;
  /** Replicas missing to a wish's minimum. */
  missing(wish: number): number;
}

export function openCounts(problem: FleetProblem): Counts {
  const { wishes, pools, columns } = problem;
  const values = columns.map(() => 0);
  const served = wishes.map(() => 0);
  const replicas = wishes.map(() => 0);
  const widths = pools.map((_, p) => [...new Set(columns.filter((c) => c.pool === p).map((c) => c.width))]);
  const limits = pools.map((pool, p) =>
    widths[p]!.map((width) =>
      takeable(
        pool,
        widths[p]!.filter((w) => w >= width),
      ),
    ),
  );
  const used = pools.map((_, p) => widths[p]!.map(() => 0));
  const claims = claimsOf(problem);
  const claimOf: Claim[] = [];
  for (const claim of claims) for (const { column } of claim.columns) claimOf[column] = claim;
  return {
    values,
    room(i) {
      const { pool, width, wish } = columns[i]!;
      let room = wishes[wish]!.maxReplicas - replicas[wish]!;
      const claim = claimOf[i];
      if (claim) room = Math.min(room, roomApart(claims, claim, i, values));
      for (let k = 0; k < widths[pool]!.length; k++) {
        if (widths[pool]![k]! <= width) room = Math.min(room, Math.floor((limits[pool]![k]! - used[pool]![k]!) / width));
      }
      return Math.max(0, room);
    },
    add(i, n) {
      const { pool, width, wish, requestsPerSecond } = columns[i]!;
      values[i]! += n;
      served[wish]! += n * requestsPerSecond;
      replicas[wish]! += n;
      for (let k = 0; k < widths[pool]!.length; k++) if (widths[pool]![k]! <= width) used[pool]![k]! += n * width;
    },
    unmet(w) {
      const left = wishes[w]!.requestsPerSecond - served[w]!;
      return left > 1e-9 * wishes[w]!.requestsPerSecond ? left : 0;
    },
    missing: (w) => Math.max(0, wishes[w]!.minReplicas - replicas[w]!),
  };
}
