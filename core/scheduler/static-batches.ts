/**
 * Which requests go together through engines that batch statically, and in which order: a plan over all that wait. An engine takes its
 * next batch only when the longest answer of the last has ended, so that batches of unlike lengths waste it, and a batch that is put off
 * misses its deadlines as a whole.
 *
 * The plan is the least expected number of missed deadlines that a search finds, and among equals the least time. Lengths are uncertain:
 * the end of a batch is a distribution (`longest-answer.ts`), and a request counts by the probability that it misses. What can only come
 * late goes last, among its like. The search starts from every simple order (by deadline, by length, by mixtures of both) and anneals.
 * Only the first batch of each idle engine is ever carried out: plan anew when the next engine is idle.
 *
 * Pure, and the same for the same input. A plan for 300 requests takes about 15 ms.
 */
import type { PaddedStepTime } from '../domain/step-time.ts';
import { type LogLength, larger, logLengthOf, normalCdf } from './longest-answer.ts';
import { byArrival } from './order.ts';
import type { QueuedRequest } from './types.ts';

/** A request as far as a plan looks at it. */
export type Plannable = Pick<
  QueuedRequest,
  'id' | 'priority' | 'tenantWeight' | 'arrivalMs' | 'inputTokens' | 'predictedOutput' | 'deadlines'
>;

export interface PlannedReplica {
  /** When it can take its next batch: now or before where it is idle. */
  freeAtMs: number;
  /** How unsure that is, as a standard deviation. */
  freeDeviationMs: number;
  /** Its steps take so many times as long as `stepTime` says. */
  slowness: number;
}

export interface BatchPlanOptions {
  /** At least one. */
  replicas: readonly PlannedReplica[];
  maxBatch: number;
  /** Tokens that a batch may take at most, padded to its longest prompt and its expected longest answer. A request alone always fits. */
  kvCacheTokens: number;
  /** Of a step of a padded batch. */
  stepTime: PaddedStepTime;
  nowMs: number;
  /** A plan that may be worth going on from: requests that no longer wait are left out, those that are not in it come behind. */
  previous?: readonly (readonly Plannable[])[];
}

/** Rearrangements that a search tries. Three times as many gained nothing in the paper's setting. */
const MOST_TRIES = 2000;
/** Fewer requests have fewer arrangements. */
const TRIES_PER_REQUEST = 20;
/** Annealing: about so many expected misses more are accepted, at first and in the end. */
const TEMPERATURE = { first: 0.2, last: 0.01 };
/** Share of the time until a batch's end by which the step-time model may be off. */
const MODEL_ERROR = 0.02;
/** One priority above another weighs so many times as much. */
const PRIORITY_FACTOR = 10;
/** A request's latency, as a share of the time that all would take, weighs as much as this share of a miss: it decides among like plans. */
const LATENCY_WEIGHT = 0.05;
/** The orders that a search starts from: decode steps by which a token of expected length puts a deadline off. */
const MIXTURES = [0, 0.5, 1, 2, 4, 8, 16, 1e6] as const;
/** A context that decode steps are compared at where it is not known. */
const TYPICAL_CONTEXT_TOKENS = 1000;

/** Batches in the order of their starts. Every request is in exactly one of them. */
export function planBatches<R extends Plannable>(requests: readonly R[], options: BatchPlanOptions): R[][] {
  if (requests.length === 0) return [];
  return new Search(requests, options).best().map((members) => members.map((index) => requests[index]!));
}

/** Expected number of misses, each by its weight, of batches in that order. */
export function expectedMisses(batches: readonly (readonly Plannable[])[], options: BatchPlanOptions): number {
  const requests = batches.flat();
  let next = 0;
  const indexes = batches.map((batch) => batch.map(() => next++));
  return new Search(requests, options).missesOf(indexes);
}

/** By priority, then by deadline, first come first, in full batches: the plan that no other may be worse than. */
export function deadlineBatches<R extends Plannable>(requests: readonly R[], options: BatchPlanOptions): R[][] {
  return new Search(requests, options).inOrderOf(0).map((members) => members.map((index) => requests[index]!));
}

interface PlannedBatch {
  members: number[];
  /** Of its duration on a replica of slowness 1. */
  meanMs: number;
  variance: number;
  /** In memory. */
  fits: boolean;
}

interface Change {
  batches: PlannedBatch[];
  /** Those before it are as they were. */
  from: number;
}

class Search {
  readonly #options: BatchPlanOptions;
  readonly #lengths: LogLength[];
  readonly #dueMs: Float64Array;
  readonly #weight: Float64Array;
  readonly #inputTokens: Float64Array;
  readonly #expectedTokens: Float64Array;
  readonly #byDeadline: number[];
  readonly #latencyWeight: number;
  readonly #previous: number[][] | null;
  /** When each replica is free, as the schedule goes on: means and variances, one row a batch that came before. */
  readonly #freeMs: Float64Array;
  readonly #freeVariance: Float64Array;
  readonly #costBefore: Float64Array;
  /** No batch whatever can exceed the KV cache: it need not be looked at. */
  readonly #alwaysFits: boolean;
  readonly #largest = { mean: 0, variance: 0 };
  #random = 0x9e3779b9;

  constructor(requests: readonly Plannable[], options: BatchPlanOptions) {
    const { nowMs, replicas, stepTime, maxBatch } = options;
    this.#options = options;
    this.#lengths = requests.map((request) => logLengthOf(request.predictedOutput));
    this.#dueMs = Float64Array.from(requests, (request) => request.deadlines.endMs - nowMs);
    this.#inputTokens = Float64Array.from(requests, (request) => request.inputTokens);
    this.#expectedTokens = Float64Array.from(this.#lengths, ({ mean, variance }) => Math.exp(mean + variance / 2));
    this.#weight = weights(requests);
    const longest = this.#lengths.reduce((most, { mean, variance }) => Math.max(most, Math.exp(mean + 4 * Math.sqrt(variance))), 0);
    this.#alwaysFits = maxBatch * (this.#inputTokens.reduce((a, b) => Math.max(a, b), 0) + longest) <= options.kvCacheTokens;
    this.#byDeadline = requests
      .map((_, index) => index)
      .sort(
        (a, b) =>
          requests[b]!.priority - requests[a]!.priority || this.#dueMs[a]! - this.#dueMs[b]! || byArrival(requests[a]!, requests[b]!),
      );
    const work = this.#expectedTokens.reduce((sum, tokens) => sum + tokens, 0) * stepTime.decodeMs(maxBatch, TYPICAL_CONTEXT_TOKENS);
    this.#latencyWeight = LATENCY_WEIGHT / Math.max(1, work / replicas.length / maxBatch);
    this.#previous = options.previous ? this.#indexesOf(requests, options.previous) : null;
    const rows = (requests.length + 1) * replicas.length;
    this.#freeMs = new Float64Array(rows);
    this.#freeVariance = new Float64Array(rows);
    this.#costBefore = new Float64Array(requests.length + 1);
    replicas.forEach(({ freeAtMs, freeDeviationMs }, replica) => {
      this.#freeMs[replica] = Math.max(0, freeAtMs - nowMs);
      this.#freeVariance[replica] = freeDeviationMs ** 2;
    });
  }

  best(): number[][] {
    const starts = MIXTURES.map((mixture) => this.inOrderOf(mixture));
    const spread = Math.ceil(this.#lengths.length / this.#options.replicas.length);
    if (spread < this.#options.maxBatch) starts.push(this.inOrderOf(0, spread), this.inOrderOf(1, spread));
    // By deadline, by both, by length: a few of them stand for all.
    for (const start of starts.filter((_, i) => i % 3 === 0)) starts.push(this.#hopelessLast(start));
    if (this.#previous) starts.push(this.#previous);
    let found = starts[0]!;
    let least = Number.POSITIVE_INFINITY;
    for (const start of starts) {
      const cost = this.#costOf(start);
      if (cost >= least) continue;
      least = cost;
      found = start;
    }
    const improved = this.#anneal(found);
    const byDeadline = this.inOrderOf(0);
    return this.missesOf(improved) <= this.missesOf(byDeadline) ? improved : byDeadline;
  }

  missesOf(batches: readonly number[][]): number {
    return this.#costOf(batches, 0);
  }

  /** By deadline and `mixture` decode steps a token of expected length, in batches as full as they may be. */
  inOrderOf(mixture: number, size = this.#options.maxBatch): number[][] {
    const { stepTime, maxBatch } = this.#options;
    const stepMs = stepTime.decodeMs(maxBatch, TYPICAL_CONTEXT_TOKENS) * mixture;
    const key = (index: number) => this.#dueMs[index]! + stepMs * this.#expectedTokens[index]!;
    const order = mixture === 0 ? this.#byDeadline : [...this.#byDeadline].sort((a, b) => key(a) - key(b));
    return this.#chunks(order, size);
  }

  #chunks(order: readonly number[], size: number): number[][] {
    const chunks: number[][] = [];
    let open: number[] = [];
    for (const index of order) {
      const fits = open.length < size && (open.length === 0 || this.#alwaysFits || this.#batch([...open, index]).fits);
      if (!fits) {
        chunks.push(open);
        open = [];
      }
      open.push(index);
    }
    chunks.push(open);
    return chunks;
  }

  /** The same order without those that it would serve too late, and these behind, shortest first: what they held up gets its place. */
  #hopelessLast(batches: readonly number[][]): number[][] {
    let order = batches.flat();
    const late: number[] = [];
    for (;;) {
      const chunks = this.#chunks(order, this.#options.maxBatch);
      const longest = this.#longestBeforeLate(chunks);
      if (longest < 0) break;
      late.push(longest);
      order = order.filter((index) => index !== longest);
      if (order.length === 0) break;
    }
    late.sort((a, b) => this.#expectedTokens[a]! - this.#expectedTokens[b]! || a - b);
    return this.#chunks([...order, ...late], this.#options.maxBatch);
  }

  /** Moore and Hodgson's rule for batches: of those up to the first that is late, the longest gives way; -1 where none is late. */
  #longestBeforeLate(chunks: readonly number[][]): number {
    const free = this.#options.replicas.map((_, replica) => this.#freeMs[replica]!);
    let longest = -1;
    for (const members of chunks) {
      let replica = 0;
      for (let r = 1; r < free.length; r++) if (free[r]! < free[replica]!) replica = r;
      free[replica]! += this.#batch(members).meanMs * this.#options.replicas[replica]!.slowness;
      let late = false;
      for (const index of members) {
        if (longest < 0 || this.#expectedTokens[index]! > this.#expectedTokens[longest]!) longest = index;
        if (this.#dueMs[index]! < free[replica]!) late = true;
      }
      if (late) return longest;
    }
    return -1;
  }

  #anneal(start: readonly number[][]): number[][] {
    let batches = start.map((members) => this.#batch(members));
    let cost = this.#cost(batches, 0);
    let best = batches;
    let least = cost;
    // The schedule as it was last computed is that of `batches` before this one.
    let valid = batches.length;
    const tries = Math.min(MOST_TRIES, this.#lengths.length * TRIES_PER_REQUEST);
    const cooling = (TEMPERATURE.last / TEMPERATURE.first) ** (1 / tries);
    let temperature = TEMPERATURE.first;
    for (let i = 0; i < tries; i++) {
      temperature *= cooling;
      const change = this.#change(batches);
      if (!change) continue;
      const since = Math.min(change.from, valid, change.batches.length - 1);
      const changedCost = this.#cost(change.batches, since);
      if (changedCost >= cost && this.#uniform() >= Math.exp((cost - changedCost) / temperature)) {
        valid = since;
        continue;
      }
      batches = change.batches;
      cost = changedCost;
      valid = batches.length;
      if (cost < least) {
        least = cost;
        best = batches;
      }
    }
    return best.map(({ members }) => members);
  }

  /** One change drawn by lot: mostly two requests change places, now and then a batch moves or is split; null where it cannot be. */
  #change(batches: readonly PlannedBatch[]): Change | null {
    const kind = this.#draw(10);
    const a = this.#draw(batches.length);
    if (kind === 9) return this.#split(batches, a);
    const b = this.#draw(batches.length);
    if (a === b) return null;
    return kind < 7 ? this.#exchange(batches, a, b) : this.#move(batches, a, b);
  }

  /** A member of one batch for a member of another, or for a place that is free there. */
  #exchange(batches: readonly PlannedBatch[], a: number, b: number): Change | null {
    const ours = batches[a]!.members.slice();
    const theirs = batches[b]!.members.slice();
    const x = this.#draw(ours.length);
    const y = this.#draw(theirs.length + (theirs.length < this.#options.maxBatch ? 1 : 0));
    const [given] = y < theirs.length ? ours.splice(x, 1, theirs[y]!) : ours.splice(x, 1);
    theirs[y] = given!;
    const changed = batches.slice();
    changed[b] = this.#batch(theirs);
    if (!changed[b].fits) return null;
    if (ours.length === 0) {
      changed.splice(a, 1);
    } else {
      changed[a] = this.#batch(ours);
      if (!changed[a].fits) return null;
    }
    return { batches: changed, from: Math.min(a, b) };
  }

  #move(batches: readonly PlannedBatch[], a: number, b: number): Change {
    const changed = batches.slice();
    const [moved] = changed.splice(a, 1);
    changed.splice(b, 0, moved!);
    return { batches: changed, from: Math.min(a, b) };
  }

  /** Smaller batches end sooner, and there may be idle engines for them. */
  #split(batches: readonly PlannedBatch[], a: number): Change | null {
    const { maxBatch, replicas } = this.#options;
    const { members } = batches[a]!;
    if (members.length < 2 || batches.length >= replicas.length + Math.ceil(this.#lengths.length / maxBatch)) return null;
    const place = 1 + this.#draw(members.length - 1);
    const changed = batches.slice();
    changed.splice(a, 1, this.#batch(members.slice(0, place)), this.#batch(members.slice(place)));
    return { batches: changed, from: a };
  }

  #batch(members: number[]): PlannedBatch {
    const { stepTime, kvCacheTokens } = this.#options;
    const largest = this.#largest;
    let inputTokens = 1;
    for (let i = 0; i < members.length; i++) {
      const index = members[i]!;
      if (this.#inputTokens[index]! > inputTokens) inputTokens = this.#inputTokens[index]!;
      const length = this.#lengths[index]!;
      if (i === 0) {
        largest.mean = length.mean;
        largest.variance = length.variance;
      } else {
        larger(largest, length, largest);
      }
    }
    const tokens = Math.exp(largest.mean + largest.variance / 2);
    const decodeMs = stepTime.decodeMs(members.length, inputTokens + tokens / 2);
    return {
      members,
      meanMs: stepTime.prefillMs(members.length, inputTokens) + tokens * decodeMs,
      variance: (tokens * decodeMs) ** 2 * (Math.exp(largest.variance) - 1),
      fits: members.length === 1 || members.length * (inputTokens + tokens) <= kvCacheTokens,
    };
  }

  #costOf(batches: readonly number[][], latencyWeight = this.#latencyWeight): number {
    const planned = batches.map((members) => this.#batch(members));
    return this.#cost(planned, 0, latencyWeight);
  }

  /** Of the schedule, whose batches before `from` are as when it was last asked for. */
  #cost(batches: readonly PlannedBatch[], from: number, latencyWeight = this.#latencyWeight): number {
    const { replicas } = this.#options;
    const count = replicas.length;
    let cost = from === 0 ? 0 : this.#costBefore[from]!;
    for (let position = from; position < batches.length; position++) {
      const row = position * count;
      const { members, meanMs, variance } = batches[position]!;
      let replica = 0;
      for (let r = 0; r < count; r++) {
        this.#freeMs[row + count + r] = this.#freeMs[row + r]!;
        this.#freeVariance[row + count + r] = this.#freeVariance[row + r]!;
        if (this.#freeMs[row + r]! < this.#freeMs[row + replica]!) replica = r;
      }
      const { slowness } = replicas[replica]!;
      const endMs = this.#freeMs[row + replica]! + meanMs * slowness;
      const endVariance = this.#freeVariance[row + replica]! + variance * slowness * slowness;
      this.#freeMs[row + count + replica] = endMs;
      this.#freeVariance[row + count + replica] = endVariance;
      const perDeviation = 1 / Math.sqrt(endVariance + (MODEL_ERROR * endMs) ** 2 + 1);
      for (let i = 0; i < members.length; i++) {
        const index = members[i]!;
        cost += this.#weight[index]! * normalCdf((endMs - this.#dueMs[index]!) * perDeviation);
      }
      cost += latencyWeight * members.length * endMs;
      this.#costBefore[position + 1] = cost;
    }
    return cost;
  }

  #indexesOf(requests: readonly Plannable[], batches: readonly (readonly Plannable[])[]): number[][] {
    const indexes = new Map(requests.map((request, index) => [request, index]));
    const known = batches
      .map((batch) => batch.flatMap((request) => indexes.get(request as Plannable) ?? []))
      .filter(({ length }) => length > 0);
    const planned = new Set(known.flat());
    const fresh = this.#byDeadline.filter((index) => !planned.has(index));
    return fresh.length === 0 ? known : [...known, ...this.#chunks(fresh, this.#options.maxBatch)];
  }

  /** A whole number below `count`. */
  #draw(count: number): number {
    return Math.floor(this.#uniform() * count);
  }

  /** xorshift32: plans are the same for the same requests. */
  #uniform(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (x >>> 0) / 4_294_967_296;
  }
}

/** A miss weighs by the tenant's share, and by the priority's rank among those that wait. */
function weights(requests: readonly Plannable[]): Float64Array {
  const ranks = [...new Set(requests.map(({ priority }) => priority))].sort((a, b) => a - b);
  return Float64Array.from(
    requests,
    ({ priority, tenantWeight }) => tenantWeight * PRIORITY_FACTOR ** Math.min(3, ranks.indexOf(priority)),
  );
}
