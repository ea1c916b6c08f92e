/**
 * SLO-ODBS, the batch scheduler of the paper UELLM (ICSOC 2024, arXiv 2409.14961): requests by ascending SLO, and one more in a batch only
 * while `w1 T_l + w2 T_o <= threshold`, with
 *
 *   T_l = sum_i (SLO_i + L_CM) (|batch| + 1) L1        T_o = sum_i (Length_i + O_CM) (|batch| + 1) L2
 *
 * SLO_i is the end-to-end latency that request i is promised [ms], Length_i its predicted output [tokens], L_CM and O_CM their maxima in
 * the batch, L1 and L2 the overhead of one more in parallel; the sums run over the batch and the candidate. So a batch of long or unlike
 * requests closes sooner: who is short does not wait for who is long.
 *
 * The paper schedules static batches of requests that are all there at the start. On engines with continuous batching, a replica's batch
 * is what is running there, and ascending SLO is the ascending time at which the last token is due, which is the same for requests that
 * arrive together and lets waiting count for those that do not. Priorities, which the paper has not, come before that.
 *
 * On engines that batch statically the order is that of the paper's code (github.com/HYIUYOU/UELLM): ascending SLO in seconds, plus half
 * of the predicted tokens where outputs count; SLO-DBS by SLO alone, ODBS by length alone. Batches are consecutive in that order and start
 * in it: one that has closed takes no later request.
 *
 * The paper prints no values for its symbols. Here L1 and L2 are such that each term is 1 for a batch of 128 requests of 20 s and 256
 * tokens; 128, since a cap there met more SLOs than 256 in simulations of production traces. For static batches each term is 1 for a full
 * batch of the loosest SLO and the longest answers in the paper's experiments: its code closes batches by their size only, its test of
 * lengths never being met within ten requests, and closing sooner missed more in the paper's setting (`bench/paper`).
 */
import { byBatching } from '../by-batching.ts';
import { inOrder } from '../in-order.ts';
import { byPriority } from '../order.ts';
import { leastInFlight } from '../room.ts';
import { createStaticQueue, paddedKvTokens } from '../static-queue.ts';
import type { QueuedRequest, ReplicaView, SchedulerPolicy } from '../types.ts';

export interface SloOdbsOptions {
  /** Weight of the latency term. */
  w1: number;
  /** Weight of the output term. */
  w2: number;
  /** Overhead of parallelism in the latency term, 1/ms. */
  l1: number;
  /** Overhead of parallelism in the output term, 1/token. */
  l2: number;
  threshold: number;
}

interface Reference {
  sloMs: number;
  outputTokens: number;
}

const REFERENCE_BATCH = 128;
const REFERENCE: Reference = { sloMs: 20_000, outputTokens: 256 };
const STATIC_REFERENCE: Reference = { sloMs: 300_000, outputTokens: 1024 };

export const SLO_ODBS_DEFAULTS: SloOdbsOptions = { w1: 0.5, w2: 0.5, ...overheads(REFERENCE, REFERENCE_BATCH), threshold: 1 };

/** Such that each term is 1 for a batch of so many requests like the reference. */
function overheads({ sloMs, outputTokens }: Reference, batch: number): Pick<SloOdbsOptions, 'l1' | 'l2'> {
  return { l1: 1 / (2 * sloMs * batch ** 2), l2: 1 / (2 * outputTokens * batch ** 2) };
}

/** Seconds of deadline that a predicted token is worth in the order of static batches. Source: the paper's code. */
const SECONDS_PER_TOKEN = 0.5;

function createSloOdbs(name: string, summary: string, options: SloOdbsOptions): SchedulerPolicy {
  return {
    name,
    summary,
    createScheduler: () =>
      byBatching(
        inOrder({
          policy: name,
          order: byPriority((request) => request.deadlines.endMs),
          demotes: true,
          minds: 'places-and-memory',
          admits: (replica, request) => batchCost(replica, request, options) <= options.threshold,
          choose: leastInFlight,
          because: (request, nowMs) => `priority ${request.priority}, due in ${Math.round(request.deadlines.endMs - nowMs)} ms`,
        }),
        () =>
          createStaticQueue({
            policy: name,
            order: byPriority((request) => staticOrder(request, options)),
            packs: false,
            admits: (replica, request) => admitsToStaticBatch(replica, request, options),
            because: (request) => `next in the order of SLO and predicted length, priority ${request.priority}`,
          }),
      ),
  };
}

function staticOrder({ deadlines, predictedOutput }: QueuedRequest, { w1, w2 }: SloOdbsOptions): number {
  if (w1 === 0) return predictedOutput.p50;
  return deadlines.endMs / 1000 + (w2 === 0 ? 0 : SECONDS_PER_TOKEN * predictedOutput.p50);
}

function admitsToStaticBatch(replica: ReplicaView, request: QueuedRequest, options: SloOdbsOptions): boolean {
  if (paddedKvTokens(replica, request) > replica.kvCacheTokens) return false;
  return batchCost(replica, request, { ...options, ...overheads(STATIC_REFERENCE, replica.maxInFlight) }) <= options.threshold;
}

export const sloOdbs = createSloOdbs(
  'slo-odbs',
  "the paper's: ascending SLO, and batches that close at w1 T_l + w2 T_o > threshold",
  SLO_ODBS_DEFAULTS,
);
export const sloDbs = createSloOdbs('slo-dbs', "the paper's SLO-ODBS with w2 = 0: batches close by their SLOs alone", {
  ...SLO_ODBS_DEFAULTS,
  w1: 1,
  w2: 0,
});
export const odbs = createSloOdbs('odbs', "the paper's SLO-ODBS with w1 = 0: batches close by their predicted outputs alone", {
  ...SLO_ODBS_DEFAULTS,
  w1: 0,
  w2: 1,
});

/** `w1 T_l + w2 T_o` of what is on a replica with one request more; 0 for the first, which every batch admits. */
export function batchCost({ load }: ReplicaView, candidate: QueuedRequest, { w1, w2, l1, l2 }: SloOdbsOptions): number {
  if (load.inFlight === 0) return 0;
  let [sloSum, sloMax, outputSum, outputMax] = [0, 0, 0, 0];
  const add = (request: QueuedRequest) => {
    const slo = request.deadlines.endMs - request.arrivalMs;
    const output = request.predictedOutput.p50;
    sloSum += slo;
    outputSum += output;
    if (slo > sloMax) sloMax = slo;
    if (output > outputMax) outputMax = output;
  };
  for (const request of load.running) add(request);
  add(candidate);
  const size = load.inFlight + 1;
  return w1 * (sloSum + size * sloMax) * size * l1 + w2 * (outputSum + size * outputMax) * size * l2;
}
