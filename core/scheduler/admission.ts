/** Who may wait, and for how long. The same for every policy. */
import type { QueuedRequest } from './types.ts';

/** All that wait, in any order. */
type Queue<R> = Iterable<R> & { readonly size: number };

export type Admission<R> = { verdict: 'admit'; instead: R | null } | { verdict: 'full' };

/**
 * A full queue takes a request only in the place of one that may be shed (priority below 0) and is less urgent, or else of one whose tenant has
 * more waiting for its weight: the queue belongs to all tenants, and one that floods it pushes out its own.
 */
export function admission<R extends QueuedRequest>(queue: Queue<R>, request: QueuedRequest, maxQueued: number): Admission<R> {
  if (queue.size < maxQueued) return { verdict: 'admit', instead: null };
  let victim: R | null = null;
  for (const waiting of queue) {
    if (waiting.priority >= 0 || waiting.priority >= request.priority) continue;
    if (!victim || waiting.priority < victim.priority || (waiting.priority === victim.priority && waiting.arrivalMs >= victim.arrivalMs)) {
      victim = waiting;
    }
  }
  victim ??= youngestOfGreediest(queue, request);
  return victim ? { verdict: 'admit', instead: victim } : { verdict: 'full' };
}

/** Where no request goes before another: a full queue takes none. */
export function admissionInTurn(queue: Queue<QueuedRequest>, maxQueued: number): Admission<never> {
  return queue.size < maxQueued ? { verdict: 'admit', instead: null } : { verdict: 'full' };
}

/** Of the tenant that would still have more waiting for its weight than the newcomer's; requests that are more urgent are left alone. */
function youngestOfGreediest<R extends QueuedRequest>(queue: Queue<R>, request: QueuedRequest): R | null {
  const shares = new Map<string, { waiting: number; youngest: R | null }>();
  for (const waiting of queue) {
    if (waiting.priority > request.priority) continue;
    let share = shares.get(waiting.tenant);
    if (!share) {
      share = { waiting: 0, youngest: null };
      shares.set(waiting.tenant, share);
    }
    share.waiting += 1 / waiting.tenantWeight;
    // One that a replica has failed came before those that it waits behind now.
    if (!share.youngest || waiting.arrivalMs >= share.youngest.arrivalMs) share.youngest = waiting;
  }
  let most = (shares.get(request.tenant)?.waiting ?? 0) + 1 / request.tenantWeight;
  let victim: R | null = null;
  for (const { waiting, youngest } of shares.values()) if (waiting > most) [most, victim] = [waiting, youngest];
  return victim;
}

/** A demoted request comes first again once it has waited this many times longer than its policy allows: demotion must not starve. */
export const AGEING_FACTOR = 4;

/** What becomes of a request by its time in the queue alone. */
export type Standing = 'in-time' | 'demoted' | 'aged' | 'shed' | 'unavailable';

/**
 * After `maxWaitMs` a request is shed if its policy says so or its priority is below 0; otherwise it is demoted behind all others, for a
 * time. Without any replica to wait for it is given back as unavailable.
 */
export function standing(request: QueuedRequest, nowMs: number, hasReplica: boolean): Standing {
  const waitedMs = nowMs - request.arrivalMs;
  const { maxWaitMs, onHopeless } = request.queue;
  if (waitedMs <= maxWaitMs) return 'in-time';
  if (!hasReplica) return 'unavailable';
  if (onHopeless === 'shed' || request.priority < 0) return 'shed';
  return waitedMs <= AGEING_FACTOR * maxWaitMs ? 'demoted' : 'aged';
}
