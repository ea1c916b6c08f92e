/**
 * How much one replica can serve: the largest request rate at which its SLO holds, from the steady state of its engine at a rate
 * (`steady.ts`) and the share of requests that meet their targets in it (`attainment.ts`). Poisson arrivals, log-normal
 * lengths, vLLM's usual settings.
 *
 * Against simulation (`bench/placement/capacity.ts`) it was within 15 % for 95 % of 601 shapes, requests and targets, and more hopeful than
 * that for 0.5 %: where steps full of prefills take just about the TPOT target, and answers are short. It is too careful where targets can
 * barely be met at all.
 */
import type { SloTargets } from '../../domain/slo-policy.ts';
import { attainmentIn } from './attainment.ts';
import { idleLatency, type PredictedLatency } from './idle.ts';
import { ALMOST_ALL, meanOf } from './lengths.ts';
import { steadyState } from './steady.ts';
import {
  CHUNK_TOKENS,
  fittingShare,
  INPUT_VARIATION,
  type Lengths,
  MAX_SEQUENCES,
  OUTPUT_VARIATION,
  type ReplicaSpeed,
  stepMs,
  type Variations,
  type Workload,
  workloadOf,
} from './workload.ts';

export { INPUT_VARIATION, type Lengths, OUTPUT_VARIATION, type PredictedLatency, type ReplicaSpeed, type Variations };

export interface Capacity {
  /** Rate at which every target holds; where none can, or none is named, the rate at which queues stay short. */
  requestsPerSecond: number;
  /** Are the targets attainable at all? true where none is named. */
  meetsSlo: boolean;
  /** On an idle replica: the quantiles that the targets ask for. */
  unloaded: PredictedLatency;
}

/** How far the queue of prefills and the batch may fill up where nobody named a target, or none can be met. */
const UNTARGETED_LOAD = 0.8;
const DEFAULT_ATTAINMENT = 0.9;
/** Rates are looked at in steps of 4 %, from the largest thinkable down to where the replica is idle. */
const RATE_STEP = 0.04;
const IDLE_STEP = 256;

/**
 * The capacity of one replica for requests of these lengths under these targets. More generous targets never lower it, nor does more KV cache.
 */
export function replicaCapacity(speed: ReplicaSpeed, lengths: Lengths, targets: SloTargets | null, variations: Variations = {}): Capacity {
  const workload = workloadOf(speed, lengths, variations);
  const fitting = fittingShare(workload, speed.kvCacheTokens, variations);
  const largest = largestThinkableRate(workload);
  const steadyAt = (step: number) => steadyState(workload, largest * Math.exp(-RATE_STEP * step));
  const attained =
    targets &&
    firstStep((step) => {
      const steady = steadyAt(step);
      return steady && fitting * attainmentIn(workload, steady, targets) - targets.attainment;
    });
  const step =
    attained ??
    firstStep((step) => {
      const steady = steadyAt(step);
      return steady && UNTARGETED_LOAD - Math.max(steady.load, steady.batch / workload.maxBatch);
    }) ??
    IDLE_STEP;
  return {
    requestsPerSecond: 1000 * largest * Math.exp(-RATE_STEP * step),
    meetsSlo: targets === null || attained !== null,
    unloaded: idleLatency(workload, Math.min(ALMOST_ALL, quantileOf(targets) / fitting)),
  };
}

/** Does every target hold? */
export function meetsTargets(latency: PredictedLatency, targets: SloTargets | null): boolean {
  return (
    latency.ttftMs <= (targets?.ttftMs ?? Number.POSITIVE_INFINITY) &&
    latency.tpotMs <= (targets?.tpotMs ?? Number.POSITIVE_INFINITY) &&
    latency.e2eMs <= (targets?.e2eMs ?? Number.POSITIVE_INFINITY)
  );
}

/** Requests a ms above which either prefills or answers take longer than there is time, whatever the targets and the KV cache. */
function largestThinkableRate(workload: Workload): number {
  const { prompts, outputTokens, stepSharesMs } = workload;
  const { rb } = workload.stepTime;
  const chunkMs = stepMs(workload, CHUNK_TOKENS, 0);
  const prefillMs = meanOf(
    prompts,
    prompts.edges.map((tokens) => (tokens / CHUNK_TOKENS) * chunkMs + rb * tokens ** 2),
  );
  return Math.min(1 / prefillMs, MAX_SEQUENCES / (outputTokens * stepSharesMs[1]!));
}

/**
 * Where the margin is no longer negative: by doubling the step, then bisection, and between the last two as if it were linear; null where it is
 * negative even on an idle replica. No margin counts as minus infinity. Of two that are one never less than the other, the greater is found no later: both
 * are asked for at the same steps until their signs differ.
 */
function firstStep(marginAt: (step: number) => number | null): number | null {
  const marginOf = (step: number) => marginAt(step) ?? Number.NEGATIVE_INFINITY;
  if (marginOf(IDLE_STEP) < 0) return null;
  let fails = 0;
  let lacking = Number.NEGATIVE_INFINITY;
  let holds = 2;
  let margin = marginOf(holds);
  while (margin < 0) {
    fails = holds;
    lacking = margin;
    holds *= 2;
    margin = marginOf(holds);
  }
  while (holds - fails > 1) {
    const middle = (fails + holds) >> 1;
    const found = marginOf(middle);
    if (found < 0) {
      fails = middle;
      lacking = found;
    } else {
      holds = middle;
      margin = found;
    }
  }
  // Rounded, so that it does not hang on the last bit of a margin.
  return Math.ceil((holds - margin / (margin - lacking)) * 64) / 64;
}

/** A request must meet all of its targets: what may miss is shared out between them, but for a hair, since even an idle replica has others. */
function quantileOf(targets: SloTargets | null): number {
  const named = [targets?.ttftMs, targets?.tpotMs, targets?.e2eMs].filter((target) => target !== undefined).length;
  return 1 - (0.99 * (1 - (targets?.attainment ?? DEFAULT_ATTAINMENT))) / Math.max(1, named);
}
