/**
 * The rule that policies with a queue order share: the first in order goes to a replica that `choose` finds for it, or everyone waits: one
 * that fits nowhere keeps its turn, smaller ones behind it do not pass, or it would starve.
 */
import { explain } from './explain.ts';
import type { Explanation } from './explanation.ts';
import type { Order } from './order.ts';
import { PlainQueue } from './plain-queue.ts';
import { fitsMemory, hasPlace, kvTokensInUse, largestKvCacheTokens, withoutAvoided } from './room.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler } from './types.ts';
import { UrgencyQueue } from './urgency-queue.ts';

export interface OrderedRule {
  policy: string;
  order: Order;
  /** Who has waited too long goes behind all others, and later before them; otherwise waiting changes nobody's place. */
  demotes: boolean;
  /** Does it hold requests back from replicas whose KV cache they would overfill? Plain routers do not look. */
  minds: 'places' | 'places-and-memory';
  /** May this request join what is on that replica? */
  admits?: (replica: ReplicaView, request: QueuedRequest) => boolean;
  /** @param candidates at least one, each with room */
  choose: <V extends ReplicaView>(candidates: readonly V[], request: QueuedRequest, nowMs: number, all: readonly V[]) => V;
  because: (request: QueuedRequest, nowMs: number) => string;
}

export function inOrder<R extends QueuedRequest, V extends ReplicaView>(rule: OrderedRule): Scheduler<R, V> {
  const queue = rule.demotes ? new UrgencyQueue<R>(rule.order) : new PlainQueue<R>(rule.order);
  return {
    get size() {
      return queue.size;
    },
    enqueue: (request) => queue.add(request),
    cancel: (request) => queue.delete(request),
    next(replicas, nowMs, all = replicas): Assignment<R, V> | null {
      const request = queue.first(nowMs);
      if (!request) return null;
      const able = ableOf(rule, replicas, request, all);
      const candidates = withoutAvoided(able, request);
      if (candidates.length === 0) return null;
      // Another revision has one that has not failed it: its turn comes next.
      if (isAvoided(candidates[0]!, request) && all !== replicas && ableOf(rule, all, request, all).some((r) => !isAvoided(r, request))) {
        return null;
      }
      const replica = rule.choose(candidates, request, nowMs, replicas);
      queue.delete(request);
      const explanation: Explanation | null = request.explain
        ? explain(rule.policy, rule.because(request, nowMs), request, replica, all, nowMs, (other) => {
            if (candidates.includes(other)) return 'not preferred';
            return replicas.includes(other) ? whyNot(rule, other, request, largestKvCacheTokens(all)) : 'not its revision’s turn';
          })
        : null;
      return { request, replica, explanation };
    },
  };
}

function ableOf<V extends ReplicaView>(rule: OrderedRule, replicas: readonly V[], request: QueuedRequest, all: readonly V[]): V[] {
  const found: V[] = [];
  const largest = rule.minds === 'places' ? 0 : largestKvCacheTokens(all);
  for (const replica of replicas) if (isAble(rule, replica, request, largest)) found.push(replica);
  return found;
}

function isAble(rule: OrderedRule, replica: ReplicaView, request: QueuedRequest, largestTokens: number): boolean {
  if (!hasPlace(replica)) return false;
  if (rule.minds === 'places-and-memory' && !fitsMemory(replica, request, kvTokensInUse(replica), largestTokens)) return false;
  return rule.admits === undefined || rule.admits(replica, request);
}

/** What spoke against a replica that was no candidate, in the order in which it is looked at. */
function whyNot(rule: OrderedRule, replica: ReplicaView, request: QueuedRequest, largestTokens: number): string {
  if (!hasPlace(replica)) return 'no place';
  if (rule.minds === 'places-and-memory' && !fitsMemory(replica, request, kvTokensInUse(replica), largestTokens)) return 'no memory';
  return isAvoided(replica, request) ? 'failed it before' : 'its batch is closed';
}

function isAvoided(replica: ReplicaView, request: QueuedRequest): boolean {
  return request.avoid.has(replica.id);
}
