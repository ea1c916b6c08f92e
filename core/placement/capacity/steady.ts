/**
 * The state that one engine settles in at a rate: how many sequences decode, how much of the time prefills take, how long both kinds wait.
 *
 * Decoding sequences share the engine, so that their number is that of a queue with processor sharing, whatever the distribution of the
 * answers' lengths: pi(n) ~ prod s D(i) / i. Prefills are a queue of their own (`wait.ts`) that takes its time from them: an answer of
 * L tokens ends when L decode steps and the prefills that came meanwhile are done, and at the latest when it has had L steps full of prefills.
 */
import { meanOf } from './lengths.ts';
import { idleShareOf, meanWaitBehind } from './wait.ts';
import { CHUNK_TOKENS, MAX_SEQUENCES, prefillTimes, restOfStepMs, stepMs, type Workload } from './workload.ts';

/** Prefills above this share of an engine's time make queues without end. */
const MAX_LOAD = 0.97;
/** A full cache holds now more, now fewer sequences, and preempts some. Fitted to simulations. */
const CACHE_MARGIN = 1.05;
const TOLERANCE = 1e-4;
const MAX_ROUNDS = 40;
/** Batches that are rarer need not be counted. */
const NEGLIGIBLE = 1e-9;

export interface SteadyState {
  /** Requests a ms. */
  rate: number;
  /** Sequences that decode, as a mean. */
  batch: number;
  batchSpread: number;
  /** Means of the lower, middle and upper third of the batches. */
  thirds: readonly number[];
  /** A step of one's own decode and the batch's. */
  decodeMs: number;
  /** The same with one sequence more. */
  nextDecodeMs: number;
  /** A step that is full of prefills. */
  fullStepMs: number;
  /** How much longer steps take for a prompt, at the strata's edges. */
  prefillsMs: readonly number[];
  /** Share of the time that they take from decoding. */
  prefillShare: number;
  /** Load of the queue of prefills; above 1 it would grow without end. */
  load: number;
  /** What a prefill takes that finds no other, and behind others, at the strata's edges. */
  firstMs: readonly number[];
  nextMs: readonly number[];
  /** Until the prefill of one's own begins, as a mean. */
  waitMs: number;
  ttftMs: number;
  /** From the first token to the last, as a mean. */
  decodingMs: number;
  /** Share of the requests that wait because the batch is full, and how fast that wait falls off, 1/ms. */
  queuedShare: number;
  queueRate: number;
}

/** The steady state, or null where there is none within the engine's limits. */
export function steadyState(workload: Workload, rate: number): SteadyState | null {
  const { outputTokens } = workload;
  let decodingMs = outputTokens * stepMs(workload, 0, 1);
  let before: { decodingMs: number; next: number } | null = null;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const flow = flowAt(workload, rate, rate * decodingMs, decodingMs / outputTokens);
    if (flow === null) return null;
    const next = flow.decodingMs;
    if (Math.abs(next - decodingMs) <= TOLERANCE * decodingMs) return spreadOut(workload, flow);
    // From below, a secant does not pass the least fixed point of what grows ever faster; where there is none, it leaves the limits.
    const slope: number = before === null ? 0 : (next - before.next) / (decodingMs - before.decodingMs);
    before = { decodingMs, next };
    decodingMs += (next - decodingMs) / (slope < 0.99 ? 1 - slope : 1);
  }
  return null;
}

type Flow = Omit<SteadyState, 'batchSpread' | 'thirds' | 'queuedShare' | 'queueRate'>;

/** What a batch of so many and so long a token between two others come to; null where that is too much. */
function flowAt(workload: Workload, rate: number, batch: number, tokenMs: number): Flow | null {
  if (batch > MAX_SEQUENCES) return null;
  const { stepTime, prompts, answers, inputTokens } = workload;
  const { edges } = prompts;
  const chunk = CHUNK_TOKENS - batch;
  const batchMs = stepMs(workload, 0, batch);
  const fullStepMs = stepMs(workload, chunk, batch);
  // Those that come within one step share the next: on average one's own is computed beside half of them.
  const prefillsMs = prefillTimes(workload, batch, Math.min(chunk / 2, (rate * tokenMs * inputTokens) / 2));
  const prefillShare = rate * meanOf(prompts, prefillsMs);
  const firstMs = edges.map((tokens, i) => Math.ceil(tokens / chunk) * batchMs + prefillsMs[i]!);
  const nextMs = edges.map((tokens) => (tokens / chunk) * fullStepMs + stepTime.rb * tokens ** 2);
  const load = rate * meanOf(prompts, nextMs);
  if (load > MAX_LOAD || prefillShare > MAX_LOAD) return null;

  const ownMs = meanOf(prompts, firstMs);
  const idle = idleShareOf(load, rate * ownMs);
  const waitMs = (1 - idle) * meanWaitBehind(prompts, firstMs, nextMs, rate) + idle * restOfStepMs(batchMs, batch);
  const ttftMs = waitMs + ownMs;
  const decodeMs = stepMs(workload, 0, batch + 1);
  const longestTokenMs = Math.max(fullStepMs, decodeMs / (1 - prefillShare));
  const decodingMs = meanOf(
    answers,
    answers.edges.map((tokens) => Math.min(tokens * longestTokenMs, (tokens * decodeMs + prefillShare * ttftMs) / (1 - prefillShare))),
  );
  const nextDecodeMs = stepMs(workload, 0, batch + 2);
  return {
    ...{ rate, batch, decodeMs, nextDecodeMs, fullStepMs, prefillsMs, prefillShare, load, waitMs, ttftMs, decodingMs, firstMs, nextMs },
  };
}

/** Adds how the batch and the waits are distributed around their means; null where more come than leave a full batch. */
function spreadOut({ outputTokens, stepSharesMs, maxBatch }: Workload, flow: Flow): SteadyState | null {
  const { rate, decodingMs, decodeMs } = flow;
  const scale = (rate * decodingMs) / decodeMs;
  // Where the batch is full there is no queue of prefills behind it that would hold up those that decode.
  const margin = maxBatch < MAX_SEQUENCES ? CACHE_MARGIN : 1;
  const fullGrowth = ((margin * rate * outputTokens) / (1 - flow.prefillShare)) * stepSharesMs[maxBatch]!;
  if (fullGrowth >= 1) return null;
  const shares = new Float64Array(MAX_SEQUENCES + 1);
  shares[0] = 1;
  let share = 1;
  let last = 0;
  let sum = 1;
  let ahead = 1;
  let atFull = 0;
  while (last < MAX_SEQUENCES && (last < maxBatch || share > NEGLIGIBLE * sum)) {
    last++;
    share *= scale * stepSharesMs[last]!;
    if (last === maxBatch) {
      ahead = sum;
      atFull = share;
    }
    shares[last] = share;
    sum += share;
  }
  // Where the batch is full it stays so, and those that wait become fewer by the same share with each one more.
  const full = atFull / (1 - fullGrowth);
  const growth = scale * stepSharesMs[last]!;
  if (growth >= 1) return null;
  const beyond = (share * growth) / (1 - growth);
  shares[last]! += beyond;
  return {
    ...flow,
    ...momentsOf(shares.subarray(0, last + 1), sum + beyond),
    queuedShare: full / (ahead + full),
    queueRate: rate * (1 / fullGrowth - 1),
  };
}

/** @param sum of the shares */
function momentsOf(shares: Float64Array, sum: number): Pick<SteadyState, 'batchSpread' | 'thirds'> {
  const thirds = [0, 0, 0];
  let third = 0;
  let left = sum / 3;
  let first = 0;
  let second = 0;
  for (let n = 0; n < shares.length; n++) {
    let share = shares[n]!;
    first += share * n;
    second += share * n * n;
    for (; third < 2 && share >= left; left = sum / 3) {
      thirds[third++]! += (3 * left * n) / sum;
      share -= left;
    }
    thirds[third]! += (3 * share * n) / sum;
    left -= share;
  }
  return { thirds, batchSpread: Math.sqrt(Math.max(0, second / sum - (first / sum) ** 2)) };
}
