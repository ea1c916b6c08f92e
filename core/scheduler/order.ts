/** In which order requests leave the queue. */
import type { QueuedRequest } from './types.ts';

/** A total order: negative where `a` goes first. It must not depend on time; `urgency-queue.ts` adds what does. */
export type Order = (a: QueuedRequest, b: QueuedRequest) => number;

type Arrival = Pick<QueuedRequest, 'arrivalMs' | 'id'>;

/** First come, first served. A request that is tried again has its old place. */
export const byArrival = (a: Arrival, b: Arrival): number => a.arrivalMs - b.arrivalMs || compareIds(a, b);

/** The more urgent by priority, then by `due`, then by arrival. */
export function byPriority(due: (request: QueuedRequest) => number): Order {
  return (a, b) => b.priority - a.priority || due(a) - due(b) || byArrival(a, b);
}

function compareIds(a: Arrival, b: Arrival): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
