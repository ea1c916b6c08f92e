/** Replicas that batch statically, for tests of their schedulers. */
import type { Assignment, QueuedRequest, ReplicaView, Scheduler } from '../../core/scheduler/types.ts';
import { replicaView } from './scheduling.ts';

const STEP_MS = 27.6;

export function staticView(parts: Parameters<typeof replicaView>[0]): ReplicaView & { accepting: boolean } {
  const stepTime = { d0: STEP_MS, d1: 0, d2: 0, ra: 0, rc: 0, rb: 0, o: 0 };
  return replicaView({ maxInFlight: 10, stepTime, batching: 'static', ...parts });
}

/** Batches as they are collected: all that go at once, then those of the next time, when every replica is idle again. */
export function collectBatches(scheduler: Scheduler, replicas: readonly ReplicaView[], nowMs = 0): QueuedRequest[][] {
  const batches: QueuedRequest[][] = [];
  for (;;) {
    const collected = new Map<ReplicaView, QueuedRequest[]>();
    const take = ({ request, replica }: Assignment) => {
      replica.load.open(request, nowMs, replica.stepTime);
      collected.set(replica, [...(collected.get(replica) ?? []), request]);
    };
    for (let next = scheduler.next(replicas, nowMs); next; next = scheduler.next(replicas, nowMs)) take(next);
    if (collected.size === 0) return batches;
    for (const [replica, batch] of collected) {
      batches.push(batch);
      for (const request of batch) replica.load.end(request, nowMs, replica.stepTime);
    }
  }
}
