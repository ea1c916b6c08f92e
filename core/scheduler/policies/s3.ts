/**
 * S3: requests packed by their predicted lengths, for throughput. Source: Jin et al., S3: Increasing GPU Utilization during Generative
 * Inference for Higher Throughput, NeurIPS 2023, arXiv 2306.06000. Theirs: reserving KV cache for the predicted answer, not the longest
 * possible one, and batches by decreasing first fit: longest predicted first, each to the first batch that has memory for it. So answers
 * of like length are together and little is padded. Deadlines are not looked at.
 *
 * Here a static batch is the first bin of that packing, taken anew whenever a replica is idle, of padded tokens as `static-engine.ts`
 * counts them. On engines with continuous batching, which the paper's is, the order is the same and the engine's own preemption stands in
 * for its supervisor of mispredictions; who does not fit keeps its turn there, as with all policies, lest long prompts starve.
 * Left out: the predictor (the profiler's is used) and its retraining.
 */
import { byBatching } from '../by-batching.ts';
import { inOrder } from '../in-order.ts';
import { byArrival, type Order } from '../order.ts';
import { leastInFlight } from '../room.ts';
import { createStaticQueue, paddedKvTokens } from '../static-queue.ts';
import type { QueuedRequest, SchedulerPolicy } from '../types.ts';

const longestFirst: Order = (a, b) => b.predictedOutput.p50 - a.predictedOutput.p50 || byArrival(a, b);
const because = (request: QueuedRequest) => `longest predicted answer: ${Math.round(request.predictedOutput.p50)} tokens`;

export const s3: SchedulerPolicy = {
  name: 's3',
  summary: 'longest predicted answer first, packed by memory so that like lengths are together; blind to SLOs (S3, NeurIPS 2023)',
  createScheduler: () =>
    byBatching(
      inOrder({ policy: 's3', order: longestFirst, demotes: false, minds: 'places-and-memory', choose: leastInFlight, because }),
      () =>
        createStaticQueue({
          policy: 's3',
          order: longestFirst,
          packs: true,
          admits: (replica, request) => paddedKvTokens(replica, request) <= replica.kvCacheTokens,
          because,
        }),
    ),
};
