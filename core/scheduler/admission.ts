/** Who may wait, and for how long. The same for every policy. */
import type { QueuedRequest } from './types.ts';

export type Admission<R> = { verdict: 'admit'; instead: R | null } | { verdict: 'full' };

/** A full queue takes a request only in the place of one that may be shed (priority below 0) and is less urgent. */
export function admission<R extends QueuedRequest>(queue: ReadonlySet<R>, request: QueuedRequest, maxQueued: number): Admission<R> {
  if (queue.size < maxQueued) return { verdict: 'admit', instead: null };
  let victim: R | null = null;
  for (const waiting of queue) {
    if (waiting.priority >= 0 || waiting.priority >= request.priority) continue;
    if (!victim || waiting.priority < victim.priority || (waiting.priority === victim.priority && waiting.arrivalMs >= victim.arrivalMs)) {
      victim = waiting;
    }
  }
  return victim ? { verdict: 'admit', instead: victim } : { verdict: 'full' };
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
