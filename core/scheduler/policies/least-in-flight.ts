/** Least in flight: the replica with the fewest open requests for its weight. The usual default of routers; blind to lengths and speeds. */
import { leastInFlight as choose } from '../room.ts';
import { router } from '../router.ts';
import type { SchedulerPolicy } from '../types.ts';

export const leastInFlight: SchedulerPolicy = {
  name: 'least-in-flight',
  summary: 'first come, first served, to the replica with the fewest open requests',
  createScheduler: () => router('least-in-flight', choose),
};
