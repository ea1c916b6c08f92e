/**
 * The share of the requests that meet all of their targets in a steady state.
 *
 * TTFT is the wait for prefills in front, and for a place in a full batch, and one's own prefill. TPOT: in the time that L tokens may take,
 * prefills may take what L decode steps leave; the share that they do take spreads over 0 to that of an engine full of prefills like a beta
 * distribution, with the variance of a compound Poisson process over long times and of busy and idle times over short ones. The batch moves
 * it further, and in the same direction: bursts bring both.
 */
import type { SloTargets } from '../../domain/slo-policy.ts';
import { betaShare } from '../distributions.ts';
import { meanOf, meanSquareOf } from './lengths.ts';
import type { SteadyState } from './steady.ts';
import { type PrefillWait, prefillWait } from './wait.ts';
import { CHUNK_TOKENS, prefillTimes, restOfStepMs, stepMs, type Workload } from './workload.ts';

/** Variance of the share of prefills, relative to what a covariance would make of it that falls off exponentially. Fitted to simulations. */
const PREFILL_VARIANCE = 0.92;
/** The batch stays within so many of its standard deviations, as far as TPOT is concerned. Fitted to simulations. */
const BATCH_REACH = 2.5;
/** Points for the wait of those that find a full batch. */
const QUEUE_SHARES = [1 / 6, 3 / 6, 5 / 6];
const QUEUE_NEGLIGIBLE = 1e-4;
/** Instead of 0, where it divides. */
const NEXT_TO_NOTHING = 1e-12;

/** @returns 0 to 1; never less for more generous targets or for fewer of them */
export function attainmentIn(workload: Workload, steady: SteadyState, { ttftMs, tpotMs, e2eMs }: SloTargets): number {
  /** Shares of the requests that begin in time, that end in time, and both. */
  let begin = 0;
  let end = 0;
  let both = 0;
  /** Of the share that begins within a time, up to the target. */
  let integral = 0;
  const wait = prefillWait(workload.prompts, steady.firstMs, steady.nextMs, steady.rate);
  for (const batch of steady.thirds) {
    const ttft = ttftAt(workload, steady, wait, batch);
    const begins = ttftMs === undefined ? 1 : queued(steady, (waitMs) => ttft.share(ttftMs - waitMs));
    const ends = e2eMs === undefined ? 1 : queued(steady, (waitMs) => endsWithin(workload, steady, ttft, batch, e2eMs, waitMs));
    begin += begins / steady.thirds.length;
    end += ends / steady.thirds.length;
    both += (begins * ends) / steady.thirds.length;
    if (ttftMs === undefined || tpotMs === undefined) continue;
    integral += queued(steady, (waitMs) => ttft.integral(ttftMs - waitMs)) / steady.thirds.length;
  }
  if (tpotMs === undefined) return both;
  const withoutTtft = end * tpotShare(workload, steady, tpotMs, steady.ttftMs);
  if (ttftMs === undefined || begin === 0) return Math.min(both, withoutTtft);
  // Those that begin in time have waited less than all have, and have fewer behind them whose prefills interrupt their first tokens.
  const metTtftMs = Math.min(steady.ttftMs, ttftMs - integral / begin);
  return Math.min(withoutTtft, both * tpotShare(workload, steady, tpotMs, metTtftMs));
}

interface Ttft {
  /** Share of the requests whose first token comes within a time, but for the wait for a full batch. */
  share(ms: number): number;
  integral(ms: number): number;
}

function ttftAt(workload: Workload, steady: SteadyState, wait: PrefillWait, batch: number): Ttft {
  const { weights } = workload.prompts;
  const takenMs = ownPrefills(workload, steady, batch);
  const restMs = wait.idleShare * restOfStepMs(stepMs(workload, 0, batch), batch);
  return {
    share: (ms) => Math.min(1, meanOver(weights, takenMs, ms - restMs, wait.share, wait.integral)),
    integral: (ms) => meanOver(weights, takenMs, ms - restMs, wait.integral, wait.secondIntegral),
  };
}

/** Mean of a function of what is left of a time, where strata take evenly spread parts of it, given the function and its integral. */
function meanOver(
  weights: readonly number[],
  takenMs: readonly number[],
  ms: number,
  of: (leftMs: number) => number,
  integralOf: (leftMs: number) => number,
): number {
  let sum = 0;
  let most = ms - takenMs[0]!;
  let upTo = integralOf(most);
  for (let i = 0; i < weights.length; i++) {
    const least = ms - takenMs[i + 1]!;
    const below = integralOf(least);
    sum += weights[i]! * (most - least > 1e-9 ? (upTo - below) / (most - least) : of(most));
    most = least;
    upTo = below;
  }
  return sum;
}

/** From the start of one's own prefill to its end, at the strata's edges: whole steps, the last of them shared with prompts from behind. */
function ownPrefills(workload: Workload, steady: SteadyState, batch: number): number[] {
  const chunk = CHUNK_TOKENS - batch;
  const batchMs = stepMs(workload, 0, batch);
  return prefillTimes(workload, batch, 0).map((prefillMs, i) => {
    const tokens = workload.prompts.edges[i]!;
    const steps = Math.ceil(tokens / chunk);
    const last = tokens - (steps - 1) * chunk;
    const anyBehind = 1 - Math.exp(-steady.rate * (steady.waitMs + (steps - 1) * steady.fullStepMs));
    const withOthersMs = stepMs(workload, last + anyBehind * workload.behindTokens[i]!, batch);
    return steps * batchMs + prefillMs + withOthersMs - stepMs(workload, last, batch);
  });
}

/** Over those that find a place in the batch and those that wait for one: that wait falls off exponentially. */
function queued({ queuedShare, queueRate }: SteadyState, shareAfter: (waitMs: number) => number): number {
  const atOnce = shareAfter(0);
  if (queuedShare < QUEUE_NEGLIGIBLE) return atOnce;
  let later = 0;
  for (const share of QUEUE_SHARES) later += shareAfter(-Math.log(1 - share) / queueRate) / QUEUE_SHARES.length;
  return atOnce + queuedShare * (later - atOnce);
}

/**
 * Share of the requests whose last token comes within a time. L decode steps, and the prefills of all that came since one's own arrival: they
 * end when both are done, and at the latest after L steps full of prefills. Either leaves so much for TTFT.
 */
function endsWithin(workload: Workload, steady: SteadyState, ttft: Ttft, batch: number, e2eMs: number, waitMs: number): number {
  const { edges, weights } = workload.answers;
  const { prefillShare } = steady;
  const decodeMs = stepMs(workload, 0, batch + 1);
  const longestTokenMs = Math.max(stepMs(workload, CHUNK_TOKENS - batch, batch + 1), decodeMs / (1 - prefillShare));
  const leftMs = e2eMs - waitMs;
  const takenMs = edges.map((tokens) => Math.min(tokens * longestTokenMs, leftMs * prefillShare + tokens * decodeMs));
  return Math.min(1, meanOver(weights, takenMs, leftMs, ttft.share, ttft.integral));
}

/** Share of the answers whose mean time between tokens is within the target, TTFT having been `ttftMs` on average. */
function tpotShare(workload: Workload, steady: SteadyState, tpotMs: number, ttftMs: number): number {
  const { prompts, answers, stepTime, inputTokens, producedTokens } = workload;
  const { rate, decodeMs, prefillsMs } = steady;
  const prefillShare = Math.max(NEXT_TO_NOTHING, steady.prefillShare);
  const batchMs = (steady.nextDecodeMs - decodeMs) * steady.batchSpread;
  // Deep in a prompt its attention counts, too.
  const fullMs = steady.fullStepMs + 2 * stepTime.rb * (CHUNK_TOKENS - steady.batch) * inputTokens;
  const allowed = 1 - decodeMs / tpotMs;
  const atOnce = Math.max(NEXT_TO_NOTHING, rate * meanOf(prompts, sharesOfSteps(workload, steady)) - prefillShare ** 2);
  const overTime = Math.max(NEXT_TO_NOTHING, rate * meanSquareOf(prompts, prefillsMs));
  const memoryMs = overTime / (2 * atOnce);
  let sum = 0;
  for (let i = 0; i < answers.weights.length; i++) {
    const tokens = (answers.edges[i]! + answers.edges[i + 1]!) / 2;
    const spanMs = Math.max(1, tokens - 1) * tpotMs;
    const mean = Math.max(0.02 * prefillShare, prefillShare * (1 + (ttftMs - steady.ttftMs) / spanMs));
    const variance = PREFILL_VARIANCE * atOnce * averaged(spanMs / memoryMs) * (mean / prefillShare);
    const batchPartMs = batchMs * Math.sqrt(averaged(tokens / producedTokens));
    const furthestMs = BATCH_REACH * batchPartMs;
    const least = -furthestMs / tpotMs;
    const most = 1 - (decodeMs + furthestMs) / (fullMs + furthestMs) + furthestMs / tpotMs;
    const width = most - least;
    const spread = (Math.sqrt(variance) + batchPartMs / tpotMs) / width;
    const share = allowed >= most ? 1 : mean >= most ? 0 : betaShare((allowed - least) / width, (mean - least) / width, spread ** 2);
    sum += answers.weights[i]! * share;
  }
  return sum;
}

/** Per prompt, the sum over its steps of their time for prefill squared over their whole time: what the share varies by from moment to moment. */
function sharesOfSteps(workload: Workload, { batch, decodeMs, fullStepMs }: SteadyState): number[] {
  const chunk = CHUNK_TOKENS - batch;
  const noneMs = stepMs(workload, 0, batch);
  const chunkMs = fullStepMs - noneMs;
  return workload.prompts.edges.map((tokens) => {
    const whole = Math.floor(tokens / chunk);
    const restMs = stepMs(workload, tokens - whole * chunk, batch) - noneMs;
    return (whole * chunkMs ** 2) / (decodeMs + chunkMs) + restMs ** 2 / (decodeMs + restMs);
  });
}

/** Variance of a mean over a time, in units of the memory, relative to that of a moment, where covariance falls off exponentially. */
function averaged(time: number): number {
  return time < 1e-3 ? 1 - time / 3 : (2 * (time - 1 + Math.exp(-time))) / time ** 2;
}
