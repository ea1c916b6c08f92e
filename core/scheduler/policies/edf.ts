/** Earliest deadline first: by priority, then by when the first token is due. Optimal for one engine while all deadlines can be met. */
import { inOrder } from '../in-order.ts';
import { byPriority } from '../order.ts';
import { leastInFlight } from '../room.ts';
import type { SchedulerPolicy } from '../types.ts';

export const edf: SchedulerPolicy = {
  name: 'edf',
  summary: 'earliest deadline (of the first token) first within each priority, to the replica with the least in flight',
  createScheduler: () =>
    inOrder({
      policy: 'edf',
      order: byPriority((request) => request.deadlines.firstTokenMs),
      demotes: true,
      minds: 'places-and-memory',
      choose: leastInFlight,
      because: (request, nowMs) =>
        `priority ${request.priority}, first token due in ${Math.round(request.deadlines.firstTokenMs - nowMs)} ms`,
    }),
};
