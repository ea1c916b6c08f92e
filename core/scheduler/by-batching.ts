/** One policy with a rule for engines that batch continuously and another for those that batch statically: the replicas say which. */
import { PassingSet } from './passing-map.ts';
import { batchesStatically } from './static-batch-scheduler.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler } from './types.ts';

/** The replicas of a deployment are of one kind nearly always; where they are mixed, also between revisions, the rule is the continuous one. */
export function byBatching<R extends QueuedRequest, V extends ReplicaView>(
  continuous: Scheduler<R, V>,
  staticOne: () => Scheduler<R, V>,
): Scheduler<R, V> {
  const waiting = new PassingSet<R>();
  let active = continuous;
  let statics: Scheduler<R, V> | null = null;
  const change = (to: Scheduler<R, V>) => {
    for (const request of waiting) {
      active.cancel(request);
      to.enqueue(request);
    }
    active = to;
  };
  return {
    get size() {
      return waiting.size;
    },
    enqueue(request) {
      waiting.add(request);
      active.enqueue(request);
    },
    cancel(request) {
      waiting.delete(request);
      return active.cancel(request);
    },
    next(replicas, nowMs, all = replicas): Assignment<R, V> | null {
      const allStatic = all.length > 0 && all.every(batchesStatically);
      if (allStatic && active === continuous) {
        statics ??= staticOne();
        change(statics);
      } else if (!allStatic && active !== continuous) {
        change(continuous);
      }
      const assignment = active.next(replicas, nowMs, all);
      if (assignment) waiting.delete(assignment.request);
      return assignment;
    },
  };
}
