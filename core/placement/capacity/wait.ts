/**
 * How long a request waits for the prefills in front of it: an M/G/1 queue, first come first served. A prompt that finds none has the engine's
 * step to itself, those that wait behind it fill the steps together; so the first of a busy time takes longer than the others (Welch 1964).
 * Its wait is then 0 where the queue is idle, else the rest of that first one and, on top, the wait in a queue of ordinary ones.
 */
import { meanOf, meanSquareOf, type Strata } from './lengths.ts';

const CELLS = 48;
/** The grid reaches so many mean waits far, of those that wait. */
const REACH = 8;

export interface PrefillWait {
  /** Share of the requests that find no other prefill. */
  idleShare: number;
  /** Share of the waits within a time. */
  share(ms: number): number;
  /** Its integral from 0 to that time. */
  integral(ms: number): number;
  /** The integral of that. */
  secondIntegral(ms: number): number;
}

/**
 * @param firstMs what the prefill of a prompt takes that finds none, at the strata's edges
 * @param nextMs what it takes behind others
 * @param rate requests a ms; less than 1 over the mean of `nextMs`
 */
export function prefillWait(prompts: Strata, firstMs: readonly number[], nextMs: readonly number[], rate: number): PrefillWait {
  const load = rate * meanOf(prompts, nextMs);
  const cellMs = (REACH * meanWaitBehind(prompts, firstMs, nextMs, rate)) / CELLS;
  const waits = ordinaryWaits(restOf(prompts, nextMs, cellMs), load);
  const idleShare = idleShareOf(load, rate * meanOf(prompts, firstMs));

  const first = restOf(prompts, firstMs, cellMs);
  const shares = new Float64Array(CELLS + 1);
  const once = new Float64Array(CELLS + 1);
  const twice = new Float64Array(CELLS + 1);
  let below = idleShare;
  shares[0] = idleShare;
  for (let k = 0; k <= CELLS; k++) {
    let both = 0;
    for (let j = 0; j <= k; j++) both += first[j]! * waits[k - j]!;
    const mass = (1 - idleShare) * both;
    below += mass;
    if (k === 0) continue;
    // A mass stands for what lies around it.
    shares[k] = Math.min(1, below - mass / 2);
    once[k] = once[k - 1]! + (cellMs * (shares[k - 1]! + shares[k]!)) / 2;
    twice[k] = twice[k - 1]! + cellMs * once[k - 1]! + cellMs ** 2 * (shares[k - 1]! / 3 + shares[k]! / 6);
  }
  const endMs = CELLS * cellMs;
  return {
    idleShare,
    share(ms) {
      if (ms < 0) return 0;
      if (ms >= endMs) return 1;
      const k = Math.floor(ms / cellMs);
      return shares[k]! + (shares[k + 1]! - shares[k]!) * (ms / cellMs - k);
    },
    integral(ms) {
      if (ms <= 0) return 0;
      if (ms >= endMs) return once[CELLS]! + ms - endMs;
      const k = Math.floor(ms / cellMs);
      const y = ms - k * cellMs;
      return once[k]! + shares[k]! * y + ((shares[k + 1]! - shares[k]!) * y * y) / (2 * cellMs);
    },
    secondIntegral(ms) {
      if (ms <= 0) return 0;
      if (ms >= endMs) return twice[CELLS]! + once[CELLS]! * (ms - endMs) + (ms - endMs) ** 2 / 2;
      const k = Math.floor(ms / cellMs);
      const y = ms - k * cellMs;
      return twice[k]! + once[k]! * y + (shares[k]! * y * y) / 2 + ((shares[k + 1]! - shares[k]!) * y ** 3) / (6 * cellMs);
    },
  };
}

/** Mean wait of those that find the queue busy: the rest of the first one, and the wait in a queue of ordinary ones. */
export function meanWaitBehind(prompts: Strata, firstMs: readonly number[], nextMs: readonly number[], rate: number): number {
  const load = rate * meanOf(prompts, nextMs);
  return meanSquareOf(prompts, firstMs) / (2 * meanOf(prompts, firstMs)) + (rate * meanSquareOf(prompts, nextMs)) / (2 * (1 - load));
}

/** Share of the requests that find the queue idle. @param firstLoad what the load would be, were all of them first */
export function idleShareOf(load: number, firstLoad: number): number {
  return (1 - load) / (1 - load + firstLoad);
}

/** Pollaczek and Khinchine: as many rests as a geometric number, one after another. Masses at multiples of a cell. */
function ordinaryWaits(rest: Float64Array, load: number): Float64Array {
  const waits = new Float64Array(CELLS + 1);
  const own = 1 - load * rest[0]!;
  waits[0] = (1 - load) / own;
  for (let k = 1; k <= CELLS; k++) {
    let sum = 0;
    for (let j = 1; j <= k; j++) sum += rest[j]! * waits[k - j]!;
    waits[k] = (load * sum) / own;
  }
  return waits;
}

/** What is left of a prefill at a random moment of it, as masses at multiples of a cell that have its mean. */
function restOf({ weights }: Strata, takesMs: readonly number[], cellMs: number): Float64Array {
  // The share of it within a time, integrated, is the integral of the mean of the lesser of a prefill and that time, but for a factor.
  const integrals = new Float64Array(CELLS + 2);
  // Of the strata that end below the time, linear in it: `mean` per ms and `constant`; the share of those that begin above is `above`.
  let open = 0;
  let mean = 0;
  let constant = 0;
  let above = 1;
  for (let k = 1; k < integrals.length; k++) {
    const ms = k * cellMs;
    for (; open < weights.length && takesMs[open + 1]! <= ms; open++) close(open);
    integrals[k] = mean * ms + constant + (above * ms ** 2) / 2;
    if (open < weights.length && takesMs[open]! < ms) {
      integrals[k]! -= (weights[open]! * (ms - takesMs[open]!) ** 3) / (6 * (takesMs[open + 1]! - takesMs[open]!));
    }
  }
  for (; open < weights.length; open++) close(open);

  const rest = new Float64Array(CELLS + 1);
  for (let k = 0; k <= CELLS; k++) {
    rest[k] = (integrals[k + 1]! - 2 * integrals[k]! + (k > 0 ? integrals[k - 1]! : 0)) / (mean * cellMs);
  }
  return rest;

  function close(stratum: number): void {
    const [from, to, weight] = [takesMs[stratum]!, takesMs[stratum + 1]!, weights[stratum]!];
    mean += (weight * (from + to)) / 2;
    constant -= weight * ((from * to) / 2 + (to - from) ** 2 / 6);
    above -= weight;
  }
}
