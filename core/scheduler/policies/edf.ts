/** Earliest deadline first: by priority, then by when the first token is due. Optimal for one engine while all deadlines can be met. */
import { byUrgency } from '../order.ts';
import { releaseInOrder } from '../release.ts';
import type { SchedulerPolicy } from '../types.ts';

export const edf: SchedulerPolicy = {
  name: 'edf',
  summary: 'earliest deadline (of the first token) first within each priority, to the replica with the least in flight',
  schedule: (queue, replicas, nowMs, shares) =>
    releaseInOrder(queue, replicas, shares, {
      order: byUrgency(nowMs, (request) => request.deadlines.firstTokenMs),
      because: (request) =>
        `edf: priority ${request.priority}, first token due in ${Math.round(request.deadlines.firstTokenMs - nowMs)} ms`,
    }),
};
