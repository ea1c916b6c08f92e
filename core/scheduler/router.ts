/** The rule of plain routers: first come, first served, at once, wherever there is a place; policies differ in which replica they choose. */
import { inOrder, type OrderedRule } from './in-order.ts';
import { byArrival } from './order.ts';
import type { QueuedRequest, ReplicaView, Scheduler } from './types.ts';

export function router<R extends QueuedRequest, V extends ReplicaView>(policy: string, choose: OrderedRule['choose']): Scheduler<R, V> {
  return inOrder({
    policy,
    order: byArrival,
    demotes: false,
    minds: 'places',
    choose,
    because: () => 'first of the queue',
  });
}

/** The candidate of the least `cost`; of equals the one used less. */
export function cheapest<V extends ReplicaView>(candidates: readonly V[], cost: (replica: V) => number): V {
  let best = candidates[0]!;
  let bestCost = cost(best);
  for (let i = 1; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    const candidateCost = cost(candidate);
    if (candidateCost < bestCost || (candidateCost === bestCost && candidate.load.started < best.load.started)) {
      best = candidate;
      bestCost = candidateCost;
    }
  }
  return best;
}
