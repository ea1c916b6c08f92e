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
 * The paper prints no values for its symbols. Here L1 and L2 are such that each term is 1 for a batch of 128 requests of 20 s and 256
 * tokens; 128, since a cap there met more SLOs than 256 in simulations of production traces.
 */
import { byUrgency } from '../order.ts';
import { releaseInOrder } from '../release.ts';
import type { Slot } from '../round.ts';
import type { QueuedRequest, SchedulerPolicy } from '../types.ts';

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

const REFERENCE = { batch: 128, sloMs: 20_000, outputTokens: 256 };

export const SLO_ODBS_DEFAULTS: SloOdbsOptions = {
  w1: 0.5,
  w2: 0.5,
  l1: 1 / (2 * REFERENCE.sloMs * REFERENCE.batch ** 2),
  l2: 1 / (2 * REFERENCE.outputTokens * REFERENCE.batch ** 2),
  threshold: 1,
};

export function createSloOdbs(options: SloOdbsOptions = SLO_ODBS_DEFAULTS): SchedulerPolicy {
  return {
    name: 'slo-odbs',
    summary: "the paper's: ascending SLO, and batches that close at w1 T_l + w2 T_o > threshold",
    schedule: (queue, replicas, nowMs, shares) =>
      releaseInOrder(queue, replicas, shares, {
        order: byUrgency(nowMs, (request) => request.deadlines.endMs),
        admits: (slot, request) => batchCost(slot, request, options) <= options.threshold,
        because: (request) => `slo-odbs: priority ${request.priority}, due in ${Math.round(request.deadlines.endMs - nowMs)} ms`,
      }),
  };
}

export const sloOdbs = createSloOdbs();

/** `w1 T_l + w2 T_o` of what is on a replica with one request more; 0 for the first, which every batch admits. */
export function batchCost(slot: Slot, candidate: QueuedRequest, { w1, w2, l1, l2 }: SloOdbsOptions): number {
  if (slot.inFlight === 0) return 0;
  let [sloSum, sloMax, outputSum, outputMax] = [0, 0, 0, 0];
  const add = (request: QueuedRequest) => {
    const slo = request.deadlines.endMs - request.arrivalMs;
    const output = request.predictedOutput.p50;
    sloSum += slo;
    outputSum += output;
    if (slo > sloMax) sloMax = slo;
    if (output > outputMax) outputMax = output;
  };
  slot.replica.running.forEach(add);
  slot.taken.forEach(add);
  add(candidate);
  const size = slot.inFlight + 1;
  return w1 * (sloSum + size * sloMax) * size * l1 + w2 * (outputSum + size * outputMax) * size * l2;
}
