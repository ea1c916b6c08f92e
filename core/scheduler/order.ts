/** In which order requests leave the queue. */
import { type Standing, standing } from './admission.ts';
import type { QueuedRequest } from './types.ts';

export type Order = (a: QueuedRequest, b: QueuedRequest) => number;

/** First come, first served. A request that is tried again has its old place. */
export const byArrival: Order = (a, b) => a.arrivalMs - b.arrivalMs || compareIds(a, b);

const TIER: Record<Standing, number> = { aged: 0, 'in-time': 1, demoted: 2, shed: 2, unavailable: 2 };

/** Those that have aged first and those that are demoted last; between them the more urgent by priority, then by `due`, then by arrival. */
export function byUrgency(nowMs: number, due: (request: QueuedRequest) => number): Order {
  return (a, b) =>
    TIER[standing(a, nowMs, true)] - TIER[standing(b, nowMs, true)] || b.priority - a.priority || due(a) - due(b) || byArrival(a, b);
}

/** The first `limit` of the queue. Few of many cost one comparison each, not a sort of all. */
export function firstInOrder<R extends QueuedRequest>(queue: ReadonlySet<R>, order: Order, limit: number): R[] {
  if (limit * 8 >= queue.size) return [...queue].sort(order).slice(0, limit);
  const first: R[] = [];
  for (const request of queue) {
    let at = first.length;
    while (at > 0 && order(request, first[at - 1]!) < 0) at--;
    if (at === limit) continue;
    first.splice(at, 0, request);
    if (first.length > limit) first.pop();
  }
  return first;
}

function compareIds(a: QueuedRequest, b: QueuedRequest): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
