/** First come, first served: the order of arrival, whatever the SLO. The baseline. */
import { byArrival } from '../order.ts';
import { releaseInOrder } from '../release.ts';
import type { SchedulerPolicy } from '../types.ts';

export const fcfs: SchedulerPolicy = {
  name: 'fcfs',
  summary: 'first come, first served, to the replica with the least in flight',
  schedule: (queue, replicas, nowMs, shares) =>
    releaseInOrder(queue, replicas, shares, {
      order: byArrival,
      because: (request) => `fcfs: first of the queue, after ${Math.round(nowMs - request.arrivalMs)} ms`,
    }),
};
