/** Shortest predicted time to first token, by the step-time model, prompts ahead, decoding batch and prefix cache. */
import { predictTtftMs } from '../latency.ts';
import { cheapest, router } from '../router.ts';
import type { SchedulerPolicy } from '../types.ts';

export const shortestPredictedTtft: SchedulerPolicy = {
  name: 'shortest-predicted-ttft',
  summary: 'first come, first served, to the replica that would answer first',
  createScheduler: () =>
    router('shortest-predicted-ttft', (candidates, request) => cheapest(candidates, (replica) => predictTtftMs(replica, request))),
};
