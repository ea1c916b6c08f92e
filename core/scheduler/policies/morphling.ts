/**
 * Morphling: first come, first served, in batches of a fixed size. Source: Wang et al., Morphling: Fast, Near-Optimal Auto-Configuration
 * for Cloud-Native Model Serving, SoCC 2021. Theirs is the configuration (accelerator, memory share, batch size), found by meta-learning
 * from about 30 stress tests before a service starts; requests then go in the order of arrival. That part is here, as the baseline that
 * the UELLM paper compares with. The batch size is the replica's `maxInFlight`, whoever has tuned it; the stress tests, whose time the
 * paper counts against Morphling, are left out, and the placement planner does what they are for.
 *
 * Memory is not looked at: a tuned batch is held to fit.
 */
import { byBatching } from '../by-batching.ts';
import { inOrder } from '../in-order.ts';
import { byArrival } from '../order.ts';
import { leastInFlight } from '../room.ts';
import { createStaticQueue } from '../static-queue.ts';
import type { SchedulerPolicy } from '../types.ts';

const because = () => 'first of the queue';

export const morphling: SchedulerPolicy = {
  name: 'morphling',
  summary: 'first come, first served, in batches of the fixed size that a replica was tuned for (Morphling, SoCC 2021)',
  createScheduler: () =>
    byBatching(inOrder({ policy: 'morphling', order: byArrival, demotes: false, minds: 'places', choose: leastInFlight, because }), () =>
      createStaticQueue({ policy: 'morphling', order: byArrival, packs: false, admits: () => true, because }),
    ),
};
