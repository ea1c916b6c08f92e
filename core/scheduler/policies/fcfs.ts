/** First come, first served: the order of arrival, whatever the SLO, held back where the KV cache is full. The baseline. */
import { inOrder } from '../in-order.ts';
import { byArrival } from '../order.ts';
import { leastInFlight } from '../room.ts';
import type { SchedulerPolicy } from '../types.ts';

export const fcfs: SchedulerPolicy = {
  name: 'fcfs',
  summary: 'first come, first served, to the replica with the least in flight that has memory for it',
  createScheduler: () =>
    inOrder({
      policy: 'fcfs',
      order: byArrival,
      demotes: false,
      minds: 'places-and-memory',
      choose: leastInFlight,
      because: () => 'first of the queue',
    }),
};
