/** The loop that policies with a queue order share: take the next in order, find it a replica, stop when the next has to wait. */
import { firstInOrder, type Order } from './order.ts';
import { type Admits, chooseSlot, openRound, type Round, type Slot, take } from './round.ts';
import type { Assignment, QueuedRequest, ReplicaView, Shares } from './types.ts';

export interface Rule {
  order: Order;
  /** May this request join what is on that replica? */
  admits?: Admits;
  /** The policy's part of the explanation: why this request, now. */
  because: (request: QueuedRequest) => string;
}

/** A request that fits nowhere keeps its turn: smaller ones behind it do not pass, or it would starve. */
export function releaseInOrder<R extends QueuedRequest, V extends ReplicaView>(
  queue: ReadonlySet<R>,
  replicas: readonly V[],
  shares: Shares,
  rule: Rule,
): Assignment<R, V>[] {
  const round = openRound(replicas);
  if (round.room === 0 || queue.size === 0) return [];
  const assignments: Assignment<R, V>[] = [];
  for (const request of firstInOrder(queue, rule.order, round.room)) {
    const slot = chooseSlot(round, request, shares, rule.admits);
    if (!slot) break;
    assignments.push({ request, replica: slot.replica, explain: explain(rule, request, slot, round) });
    take(slot, request);
  }
  return assignments;
}

function explain(rule: Rule, request: QueuedRequest, slot: Slot, round: Round): () => string {
  const { inFlight, replica } = slot;
  return () =>
    `${rule.because(request)}; replica ${replica.id} had ${inFlight} of ${replica.maxInFlight} in flight, ` +
    `the least for its weight among ${round.slots.length} with room`;
}
