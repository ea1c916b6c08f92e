/** Round robin: replicas take turns, whatever their load or speed. What a plain load balancer does. */
import type { ReplicaLoad } from '../load.ts';
import { router } from '../router.ts';
import type { ReplicaView, SchedulerPolicy } from '../types.ts';

export const roundRobin: SchedulerPolicy = {
  name: 'round-robin',
  summary: 'replicas take turns, by their weights',
  createScheduler: () => {
    const credits: Credits = new WeakMap();
    return router('round-robin', (candidates) => takeTurns(candidates, credits));
  },
};

/** A replica is told by its load, which lives as long as it. */
type Credits = WeakMap<ReplicaLoad, number>;

/**
 * Every candidate earns its weight, the richest goes and pays what all earned (nginx's smooth weighted round robin): who had no place, or
 * is new, does not catch up in a burst.
 */
function takeTurns<V extends ReplicaView>(candidates: readonly V[], credits: Credits): V {
  let best = candidates[0]!;
  let bestCredit = Number.NEGATIVE_INFINITY;
  let earned = 0;
  for (const candidate of candidates) {
    const credit = (credits.get(candidate.load) ?? 0) + candidate.weight;
    credits.set(candidate.load, credit);
    earned += candidate.weight;
    if (credit > bestCredit) {
      best = candidate;
      bestCredit = credit;
    }
  }
  credits.set(best.load, bestCredit - earned);
  return best;
}
