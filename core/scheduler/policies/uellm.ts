/**
 * uellm's own policy. Requests wait at the gateway, by when their first token is due, and bind late: to the replica that fits them best,
 * when it can take their prompt and keep the tightest promise of all that run there. What cannot be in time is demoted to background work
 * and bounded by ageing, never dropped; who is demoted, when not all can make it, is the costliest for what it is worth.
 *
 * The parts are in `../uellm/`: `waiting.ts` who waits, `turns.ts` whose turn it is among tenants, `overload.ts` who is given up, `fairness.ts`
 * who has been given up enough, `fit.ts` who may join which replica and how well it fits, `tiers.ts` which replicas are kept for whom,
 * `options.ts` the constants.
 */
import { byBatching } from '../by-batching.ts';
import { explain } from '../explain.ts';
import type { Explanation } from '../explanation.ts';
import { chunkedPrefillMs } from '../prefill.ts';
import { canBeAvoided, fitsAnyway, largestKvCacheTokens } from '../room.ts';
import { createStaticBatchScheduler } from '../static-batch-scheduler.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler, SchedulerPolicy } from '../types.ts';
import { Costs } from '../uellm/cost.ts';
import { LengthFairness, lengthBucket, TenantUse } from '../uellm/fairness.ts';
import { type Fit, Fitting, type Standing } from '../uellm/fit.ts';
import { UELLM_DEFAULTS, type UellmOptions } from '../uellm/options.ts';
import { Outlook } from '../uellm/outlook.ts';
import { Overload } from '../uellm/overload.ts';
import { Tiers } from '../uellm/tiers.ts';
import { Waiting, type WaitingItem } from '../uellm/waiting.ts';

/** Requests of different TPOT targets that are tried at a time: the first of each, since what refuses one refuses its like. */
const MAX_TRIES = 6;
/** How far down the queue the first of each is looked for. */
const LOOK_AHEAD = 64;
/** Of more replicas than this, so many are looked at each time, the next ones the next time. */
const MAX_REPLICAS = 128;
/** A replica that would take the request but for what passes quickly is kept for it; one over its TPOT limit by more is not. */
const SOON = 1.1;
/** Who keeps off a replica that is kept for looser targets could still be in time there, with so much of its time to spare, and a step. */
const SPARE_SHARE = 0.1;
const SPARE_MS = 50;
/** And has not waited longer, however long it may. */
const MOST_PATIENCE_MS = 5000;
/** One that keeps off speaks for itself alone: of those behind it with its target so many are looked at for a prompt that is cached there. */
const MAX_CACHED_LOOKS = 8;
/** An end-to-end target leaves the first token at least this share of itself. */
const LEAST_START_SHARE = 0.1;
/** Time per output token that requests are predicted on release, before any was. */
const TYPICAL_TPOT_MS = 45;

export function createUellm(name = 'uellm', changes: Partial<UellmOptions> = {}): SchedulerPolicy {
  const options = { ...UELLM_DEFAULTS, ...changes };
  return {
    name,
    summary: 'ours: deadlines, late binding, a gate on time per token, demotion with ageing, fit to unlike engines',
    createScheduler: <R extends QueuedRequest, V extends ReplicaView>() =>
      byBatching<R, V>(new UellmScheduler(name, options), createStaticBatchScheduler),
  };
}

export const uellm = createUellm();

class UellmScheduler<R extends QueuedRequest, V extends ReplicaView> implements Scheduler<R, V> {
  readonly #name: string;
  readonly #options: UellmOptions;
  readonly #waiting = new Waiting<R>();
  readonly #costs = new Costs();
  readonly #overload: Overload<R>;
  readonly #lengths: LengthFairness;
  readonly #tenants = new TenantUse();
  readonly #fitting: Fitting;
  readonly #tiers: Tiers;
  readonly #outlooks = new WeakMap<V, Outlook>();
  /** Replicas that are kept for a request which is due before those that are looked at now: an array, as clearing a set makes garbage. */
  readonly #kept: V[] = [];
  /** A replica that is kept for an aged request until it has room. */
  #emptying: V | null = null;
  /** What aged requests may still take of the releases. */
  #agedCredit = 1;
  #tpotMs = TYPICAL_TPOT_MS;
  #rotation = 0;
  /** When it was asked last, some that can be in time were left waiting. */
  #leftWaiting = false;
  /** Who was looked at last keeps off a replica. */
  #keepsOff = false;
  /** Some replica of those seen last, for what a prompt takes about. */
  #seen: V | null = null;

  constructor(name: string, options: UellmOptions) {
    this.#name = name;
    this.#options = options;
    this.#lengths = new LengthFairness(options.lengthFairness);
    this.#overload = new Overload(options, this.#costs, this.#lengths, this.#tenants);
    this.#fitting = new Fitting(options, this.#costs);
    this.#tiers = new Tiers(this.#costs, options.tierGain);
  }

  get size(): number {
    return this.#waiting.size;
  }

  enqueue(request: R): void {
    // One that comes again is no new demand.
    if (request.avoid.size === 0) {
      this.#costs.observe(request);
      this.#tiers.observe(request, this.#seen ? this.#costs.wholeCost(this.#seen, request) : 1);
    }
    const bucket = lengthBucket(request.inputTokens);
    const dueMs = this.#dueMs(request);
    this.#waiting.add({ request, dueMs, startByMs: dueMs - this.#headStartMs(request, bucket), lengthBucket: bucket, cost: 0, weight: 0 });
  }

  cancel(request: R): boolean {
    const waited = this.#waiting.delete(request);
    this.#leftWaiting &&= this.#waiting.urgent.length > 0;
    return waited;
  }

  next(replicas: readonly V[], nowMs: number, all: readonly V[] = replicas): Assignment<R, V> | null {
    const next = this.#waiting.size === 0 || replicas.length === 0 ? null : this.#choose(replicas, nowMs, all);
    this.#leftWaiting = this.#waiting.urgent.length > 0;
    return next;
  }

  #choose(replicas: readonly V[], nowMs: number, all: readonly V[]): Assignment<R, V> | null {
    const looked = this.#some(replicas);
    this.#seen = looked[0]!;
    this.#tiers.refresh(all, nowMs);
    this.#overload.tick(this.#leftWaiting, nowMs);
    if (this.#options.demotesAhead) this.#overload.relieve(this.#waiting, all, nowMs, (item) => this.#demote(item));
    return this.#aged(looked, nowMs, all) ?? this.#urgent(looked, nowMs, all) ?? this.#background(looked, nowMs, all);
  }

  /** The first of those that can be in time, by when they are due, for which a replica is ready. */
  #urgent(replicas: readonly V[], nowMs: number, all: readonly V[]): Assignment<R, V> | null {
    const { urgent } = this.#waiting;
    const tried: (number | undefined)[] = [];
    const keepOff: (number | undefined)[] = [];
    let cachedLooks = 0;
    this.#kept.length = 0;
    for (let i = 0; i < urgent.length && i < LOOK_AHEAD && tried.length < MAX_TRIES && this.#kept.length < replicas.length; ) {
      const item = this.#waiting.inTurn(urgent[i]!);
      const { tpotMs } = item.request.targets;
      const mayGo = keepOff.includes(tpotMs) && cachedLooks++ < MAX_CACHED_LOOKS && this.#findsCached(replicas, item.request);
      if (tried.includes(tpotMs) && !mayGo) {
        i++;
        continue;
      }
      const found = this.#find(replicas, item.request, 'urgent', item.dueMs - nowMs - this.#options.ttftSafetyMs, nowMs, all);
      if (found === 'hopeless') {
        this.#demote(item);
        continue;
      }
      if (found) {
        this.#lengths.count(item.lengthBucket, true);
        this.#agedCredit = Math.min(1, this.#agedCredit + this.#options.agedShare / (1 - this.#options.agedShare));
        return this.#release(item, found, 'urgent', nowMs, all);
      }
      i++;
      if (tried.includes(tpotMs)) continue;
      tried.push(tpotMs);
      if (this.#keepsOff) keepOff.push(tpotMs);
    }
    return null;
  }

  /** One that was demoted so long ago that nobody goes before it: its wait is bounded, and it may take its share of the releases. */
  #aged(replicas: readonly V[], nowMs: number, all: readonly V[]): Assignment<R, V> | null {
    const request = this.#waiting.aged(nowMs);
    if (!request || (this.#agedCredit < 1 && this.#waiting.urgent.length > 0)) {
      // Not its turn: a replica that is kept for it meanwhile would stand idle.
      this.#emptying = null;
      return null;
    }
    const found = this.#find(replicas, request, 'aged', 0, nowMs, all);
    if (!found || found === 'hopeless') {
      // What it needs may never be free at once while smaller ones go before it: one replica takes nobody else until it fits.
      const able = ableWhenEmpty(replicas, request, all);
      if (this.#emptying === null || !able.includes(this.#emptying)) this.#emptying = emptiest(able);
      return null;
    }
    this.#emptying = null;
    // What they take while nobody else could go costs nobody anything.
    if (this.#waiting.urgent.length > 0) this.#agedCredit -= 1;
    return this.#release(this.#waiting.item(request), found, 'aged', nowMs, all);
  }

  /** A demoted one, where a replica has nothing better to do. */
  #background(replicas: readonly V[], nowMs: number, all: readonly V[]): Assignment<R, V> | null {
    const request = this.#waiting.background();
    if (!request) return null;
    const found = this.#find(replicas, request, 'background', 0, nowMs, all);
    if (found && found !== 'hopeless') return this.#release(this.#waiting.item(request), found, 'background', nowMs, all);
    return this.#besides(request, replicas, nowMs, all);
  }

  /** While the first demoted one waits for other replicas, an idle one that cannot hold it, or has failed it, takes the first that it can. */
  #besides(first: R, replicas: readonly V[], nowMs: number, all: readonly V[]): Assignment<R, V> | null {
    const largestTokens = largestKvCacheTokens(all);
    const couldTake = (replica: V, request: R) => !request.avoid.has(replica.id) && fitsAnyway(replica, request, largestTokens) !== false;
    let roomiest: V | null = null;
    for (const replica of replicas) {
      if (replica.load.inFlight > 0 || couldTake(replica, first)) continue;
      if (roomiest === null || replica.kvCacheTokens > roomiest.kvCacheTokens) roomiest = replica;
    }
    if (roomiest === null) return null;
    const idle = roomiest;
    const request = this.#waiting.background((other) => couldTake(idle, other));
    const found = request && this.#find([idle], request, 'background', 0, nowMs, all);
    return found && found !== 'hopeless' ? this.#release(this.#waiting.item(request), found, 'background', nowMs, all) : null;
  }

  /** The replica that fits best of those that the request may join now; hopeless where its first token cannot be in time on any. */
  #find(replicas: readonly V[], request: R, standing: Standing, slackMs: number, nowMs: number, all: readonly V[]): V | 'hopeless' | null {
    const largestTokens = largestKvCacheTokens(all);
    const isFree = request.avoid.size > 0 && canBeAvoided(all, request, largestTokens);
    let best: V | null = null;
    let bestScore = Number.NEGATIVE_INFINITY;
    let nearest: V | null = null;
    let nearestLoad = Number.POSITIVE_INFINITY;
    // What was not looked at may be quicker.
    let isPossible = replicas.length < all.length && slackMs > 0;
    const soon: V[] = [];
    this.#keepsOff = false;
    for (const replica of replicas) {
      const outlook = this.#outlook(replica, nowMs);
      const fit = this.#fitting.look(replica, outlook, request, standing, slackMs, largestTokens, nowMs);
      isPossible ||= fit.isPossible;
      if (
        (isFree && request.avoid.has(replica.id)) ||
        (standing !== 'aged' && (this.#kept.includes(replica) || replica === this.#emptying))
      )
        continue;
      if (standing === 'urgent' && this.#leavesToOthers(replica, request, fit, slackMs, nowMs)) {
        this.#keepsOff = true;
        continue;
      }
      if (fit.verdict === 'joins') {
        const isBetter = fit.score > bestScore || (fit.score === bestScore && best !== null && replica.load.started < best.load.started);
        if (isBetter) [best, bestScore] = [replica, fit.score];
      } else if (standing === 'urgent' && fit.verdict !== 'no memory' && fit.verdict !== 'first token too late') {
        if (fit.tpotLoad < nearestLoad) [nearest, nearestLoad] = [replica, fit.tpotLoad];
        if (fit.verdict !== 'tokens too slow' && fit.tpotLoad < SOON) soon.push(replica);
      }
    }
    if (best || standing !== 'urgent') return best;
    if (!isPossible) return 'hopeless';
    // It waits: for the replicas that are nearly ready for it, or else for the one that is least over its limit. Those due later go elsewhere.
    if (soon.length === 0 && nearest) soon.push(nearest);
    this.#kept.push(...soon);
    return null;
  }

  /**
   * Leaves the replica to looser targets while requests have to wait: one that has time, is tried for the first time, and has none of its
   * prompt cached there. One that has nothing to do takes whatever comes.
   */
  #leavesToOthers(replica: V, request: R, { ttftMs }: Fit, slackMs: number, nowMs: number): boolean {
    if (!this.#overload.isPressed || !this.#tiers.isKeptFrom(replica, request)) return false;
    if (replica.load.inFlight === 0 || request.avoid.size > 0) return false;
    const waitedMs = nowMs - request.arrivalMs;
    const wholeMs = slackMs + waitedMs;
    const spareMs = Math.max(SPARE_SHARE * wholeMs, SPARE_MS + replica.stepTime.d0);
    const hasTime = slackMs > this.#options.tierPatience * wholeMs && slackMs - ttftMs > spareMs && waitedMs < MOST_PATIENCE_MS;
    return hasTime && replica.load.cachedTokens(request.prefix, request.inputTokens) === 0;
  }

  /** Is a part of its prompt cached on a replica that is kept for looser targets? */
  #findsCached(replicas: readonly V[], request: R): boolean {
    const { prefix, inputTokens } = request;
    if (!prefix) return false;
    return replicas.some((replica) => this.#tiers.isKeptFrom(replica, request) && replica.load.cachedTokens(prefix, inputTokens) > 0);
  }

  #release(item: WaitingItem<R>, replica: V, standing: Standing, nowMs: number, all: readonly V[]): Assignment<R, V> {
    const { request } = item;
    this.#tpotMs += 0.01 * (this.#outlook(replica, nowMs).tpotMs(replica, request) - this.#tpotMs);
    const cost = item.cost || 1;
    if (standing === 'urgent' && nowMs > request.arrivalMs) this.#overload.released(cost);
    this.#tenants.count(request, cost, nowMs);
    const explanation = request.explain ? this.#explain(request, item, replica, standing, nowMs, all) : null;
    this.#waiting.serve(item);
    return { request, replica, explanation };
  }

  #demote(item: WaitingItem<R>): void {
    this.#waiting.demote(item);
    this.#lengths.count(item.lengthBucket, false);
  }

  /**
   * When its first token is due: by its TTFT target, or so long before its end that a long answer has time at the pace of today; in any
   * case before it has waited as long as its policy allows.
   */
  #dueMs({ arrivalMs, targets, predictedOutput, queue }: R): number {
    const { ttftMs = Number.POSITIVE_INFINITY, e2eMs = Number.POSITIVE_INFINITY } = targets;
    const startMs = Math.max(LEAST_START_SHARE * e2eMs, e2eMs - predictedOutput.p90 * this.#tpotMs);
    return arrivalMs + Math.min(ttftMs, startMs, queue.maxWaitMs);
  }

  /** A long prompt has to start long before its first token is due. Where that has cost its like too often, it may go before others. */
  #headStartMs({ inputTokens }: R, bucket: number): number {
    if (!this.#seen || !this.#lengths.isSpared(bucket)) return 0;
    const { stepTime, load } = this.#seen;
    return this.#options.headStart * chunkedPrefillMs(stepTime, inputTokens, inputTokens ** 2) * load.stepTimeScale;
  }

  #outlook(replica: V, nowMs: number): Outlook {
    let outlook = this.#outlooks.get(replica);
    if (!outlook?.isOf(replica)) {
      outlook = new Outlook(replica.load, this.#options.memoryQuantile);
      this.#outlooks.set(replica, outlook);
    }
    outlook.refresh(replica, nowMs);
    return outlook;
  }

  #some(replicas: readonly V[]): readonly V[] {
    if (replicas.length <= MAX_REPLICAS) return replicas;
    this.#rotation = (this.#rotation + MAX_REPLICAS) % replicas.length;
    const some = replicas.slice(this.#rotation, this.#rotation + MAX_REPLICAS);
    return some.length === MAX_REPLICAS ? some : [...some, ...replicas.slice(0, MAX_REPLICAS - some.length)];
  }

  #explain(request: R, item: WaitingItem<R>, replica: V, standing: Standing, nowMs: number, all: readonly V[]): Explanation {
    const slackMs = item.dueMs - nowMs - this.#options.ttftSafetyMs;
    const due = `first token due in ${Math.round(item.dueMs - nowMs)} ms`;
    const because = { urgent: `${due}; best fit`, background: `demoted, ${due}; room was free`, aged: `demoted, ${due}; has aged` }[
      standing
    ];
    const largestTokens = largestKvCacheTokens(all);
    return explain(this.#name, because, request, replica, all, nowMs, (other): string => {
      if (request.avoid.has(other.id)) return 'failed it before';
      const outlook = this.#outlook(other, nowMs);
      const fit = this.#fitting.look(other, outlook, request, standing, slackMs, largestTokens, nowMs);
      if (fit.verdict !== 'joins') return fit.verdict;
      if (standing === 'urgent' && this.#leavesToOthers(other, request, fit, slackMs, nowMs)) return 'kept for looser targets';
      return 'fits less well';
    });
  }
}

/** Those that could take the request if they had nothing else: to empty another would be in vain. */
function ableWhenEmpty<V extends ReplicaView>(replicas: readonly V[], request: QueuedRequest, all: readonly V[]): V[] {
  const largestTokens = largestKvCacheTokens(all);
  const able = replicas.filter((replica) => fitsAnyway(replica, request, largestTokens) !== false);
  return canBeAvoided(all, request, largestTokens) ? able.filter(({ id }) => !request.avoid.has(id)) : able;
}

/** The replica whose memory and places are taken the least; null of none. */
function emptiest<V extends ReplicaView>(replicas: readonly V[]): V | null {
  const taken = ({ load, kvCacheTokens, maxInFlight }: V) => Math.max(load.expectedKvTokens / kvCacheTokens, load.inFlight / maxInFlight);
  return replicas.reduce<V | null>((best, replica) => (best === null || taken(replica) < taken(best) ? replica : best), null);
}
