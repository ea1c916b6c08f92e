/**
 * Revisions of a deployment get the shares of its traffic that their weights say, whatever the policy: exactly, by smooth weighted round
 * robin. Which replica of the revision is the policy's to say.
 */
import type { Assignment, QueuedRequest, ReplicaView, Scheduler } from './types.ts';

/**
 * Every revision earns its weight with each release; the richest that can take the request gets it and pays what all earned. One that
 * cannot keeps at most its weight, so that it does not catch up in a burst. Source: nginx, ngx_http_upstream_round_robin.
 */
export function withRevisionShares<R extends QueuedRequest, V extends ReplicaView>(scheduler: Scheduler<R, V>): Scheduler<R, V> {
  const credits = new Map<number, number>();
  return {
    get size() {
      return scheduler.size;
    },
    enqueue: (request) => scheduler.enqueue(request),
    cancel: (request) => scheduler.cancel(request),
    next(replicas, nowMs): Assignment<R, V> | null {
      if (scheduler.size === 0 || replicas.length === 0) return null;
      if (replicas.every((replica) => replica.revision === replicas[0]!.revision)) {
        if (credits.size > 0) credits.clear();
        return scheduler.next(replicas, nowMs);
      }
      return nextOfSeveral(scheduler, replicas, nowMs, credits);
    },
  };
}

function nextOfSeveral<R extends QueuedRequest, V extends ReplicaView>(
  scheduler: Scheduler<R, V>,
  replicas: readonly V[],
  nowMs: number,
  credits: Map<number, number>,
): Assignment<R, V> | null {
  const weights = new Map<number, number>();
  for (const { revision, weight } of replicas) weights.set(revision, (weights.get(revision) ?? 0) + weight);
  for (const revision of credits.keys()) if (!weights.has(revision)) credits.delete(revision);
  const due = (revision: number) => (credits.get(revision) ?? 0) + weights.get(revision)!;
  const richestFirst = [...weights.keys()].sort((a, b) => due(b) - due(a));
  for (const [place, revision] of richestFirst.entries()) {
    const assignment = scheduler.next(
      replicas.filter((replica) => replica.revision === revision),
      nowMs,
      replicas,
    );
    if (!assignment) continue;
    let earned = 0;
    for (const able of richestFirst.slice(place)) {
      credits.set(able, due(able));
      earned += weights.get(able)!;
    }
    credits.set(revision, credits.get(revision)! - earned);
    for (const unable of richestFirst.slice(0, place)) credits.set(unable, Math.min(credits.get(unable) ?? 0, weights.get(unable)!));
    return assignment;
  }
  return null;
}
