/** One replica as this gateway knows it: what the table says, what is open on it, how it fares. It is the scheduler's view of it too. */
import type { Leftover } from '../core/domain/drain.ts';
import { allowedPart, type RoutedReplica } from '../core/domain/routing.ts';
import { areSameCoefficients } from '../core/profiler/shapes.ts';
import { ReplicaLoad } from '../core/scheduler/load.ts';
import { roomBeside, type Share, shareUnheard } from '../core/scheduler/shares.ts';
import type { EngineLoad, QueuedRequest, ReplicaView } from '../core/scheduler/types.ts';
import { PreemptionCount } from './upstream/gauges.ts';
import type { EngineGauges } from './upstream/scrape.ts';
import { StepWatch } from './upstream/step-watch.ts';
import type { Upstream } from './upstream/upstream.ts';

/** How many of this gateway's requests an engine may have counted: some were sent or ended while it answered. */
export interface OwnRequests {
  atLeast: number;
  atMost: number;
}

const NONE: OwnRequests = { atLeast: 0, atMost: 0 };

export class LiveReplica implements ReplicaView {
  readonly id: string;
  /** In force: the table's row, or the last one when the table has it no more. */
  row: RoutedReplica;
  upstream: Upstream;
  /** In the table. Nothing new goes to one that is not. */
  routed = true;
  /** Why nothing is sent to it until it answers again; null while it is well. */
  ailment: string | null = null;
  /** Scrapes that failed in a row. */
  failures = 0;
  /** When bytes last came from it, on the monotonic clock. */
  lastHeardMs = Number.NEGATIVE_INFINITY;
  /** What its engine said last. */
  gauges: EngineGauges | null = null;
  /** The same as the scheduler is to see it. */
  engine: EngineLoad | null = null;
  preemptions = new PreemptionCount();
  /** When it left the table, on the monotonic clock. */
  unroutedMs = 0;
  /** What is open on its present engine, and what that engine has shown of itself. */
  load: ReplicaLoad;
  steps: StepWatch;
  /** Requests open on any engine that it had, and requests that have ended on one. */
  inFlight = 0;
  finished = 0;
  /** Of what monitoring lets in, what is this gateway's; and what of its KV cache is not. */
  maxInFlight = 1;
  kvElsewhereTokens = 0;
  /** How those ended that were open when it left the table. */
  leftover: Leftover = { finished: 0, retried: 0, dropped: 0 };
  /** Requests that had been opened when the batch under way was closed. */
  #batchEnd = 0;
  #gateways: number;
  #share: Share | null = null;
  /** What was open here when its engine last spoke: requests, and what their KV cache was expected to become. */
  #own = NONE;
  #ownKvTokens = 0;

  /** @param gateways that route to it, this one among them */
  constructor(row: RoutedReplica, upstream: Upstream, gateways = 1) {
    this.id = row.replicaId;
    this.row = row;
    this.upstream = upstream;
    this.steps = new StepWatch(row.stepTime);
    this.load = this.#newLoad();
    this.#gateways = gateways;
    this.#look();
  }

  get deployment(): string {
    return this.row.deployment;
  }
  get revision(): number {
    return this.row.revision;
  }
  get weight(): number {
    return this.row.weight;
  }
  /** Of all gateways together: as many as monitoring lets in. */
  get limit(): number {
    return allowedPart(this.row.maxInFlight, this.row.maxInFlightShare);
  }
  get batching(): 'continuous' | 'static' {
    return this.row.batching ?? 'continuous';
  }
  get stepTime(): RoutedReplica['stepTime'] {
    return this.row.stepTime;
  }
  /** What may be filled: of the cache that it is held to have, the share that monitoring allows. */
  get kvCacheTokens(): number {
    return allowedPart(this.row.kvCacheTokens, this.row.kvShare);
  }
  get #kvShare(): number {
    return this.row.kvShare ?? 1;
  }

  get healthy(): boolean {
    return this.ailment === null;
  }

  /** May requests be sent to it? */
  get eligible(): boolean {
    return this.routed && this.healthy && this.row.weight > 0;
  }

  get accepting(): boolean {
    return this.load.ended >= this.#batchEnd;
  }

  /** How many times as much its engine has as this gateway's requests, at least 1. */
  get loadOfAll(): number {
    return this.gauges ? Math.max(1, (this.gauges.running + this.gauges.waiting) / Math.max(1, this.#own.atMost)) : 1;
  }

  /** Padded batches are no sums of what their requests need: nothing is seen of their steps. */
  #newLoad(): ReplicaLoad {
    const { steps } = this;
    if (this.batching === 'static') return new ReplicaLoad(this.row.kvCacheTokens);
    return new ReplicaLoad(this.row.kvCacheTokens, (sample) => steps.observe(sample, this.loadOfAll, performance.now()));
  }

  /** A request that it was sent has ended there. */
  settled(as: keyof Leftover): void {
    if (!this.routed) this.leftover[as] += 1;
  }

  /** What is open on it is a batch: one that batches statically takes nothing more until all of it has ended. */
  closeBatch(): void {
    if (this.batching === 'static') this.#batchEnd = this.load.started;
  }

  /** The table says this of it now. Its load remembers how its steps compared with what was said before. */
  update(row: RoutedReplica): void {
    if (!areSameCoefficients(this.row.stepTime, row.stepTime)) {
      this.load.restateStepTime(this.row.stepTime, row.stepTime);
      this.steps.restate(row.stepTime);
    }
    this.row = row;
    this.#look();
  }

  /** So many gateways route to it, and this is the present one's share of it; null while they do not hear of each other. */
  shareOut(gateways: number, share: Share | null): void {
    this.#gateways = gateways;
    this.#share = share;
    this.#look();
  }

  /** Its engine says this of itself, `own` among it. */
  hearGauges(gauges: EngineGauges | null, nowMs: number, own: OwnRequests): void {
    this.gauges = gauges;
    this.#own = own;
    this.#ownKvTokens = this.load.expectedKvTokens;
    if (gauges?.preemptions != null) this.preemptions.hear(gauges.preemptions, nowMs);
    this.#look();
  }

  /** Reckons what the scheduler is to see. The engine's use is a share of its whole cache, the scheduler's of what it may fill. */
  #look(): void {
    const { gauges } = this;
    this.engine = gauges && this.#kvShare !== 1 ? { ...gauges, kvCacheUsage: gauges.kvCacheUsage / this.#kvShare } : gauges;
    const { limit, kvCacheTokens } = this;
    this.maxInFlight = limit;
    this.kvElsewhereTokens = 0;
    if (this.#gateways === 1) return;
    const gateways = this.#gateways;
    const { atLeast: ownAtLeast, atMost: ownAtMost } = this.#own;
    const requests = gauges && { all: gauges.running + gauges.waiting, ownAtLeast, ownAtMost };
    const share = this.#share;
    if (share) {
      this.maxInFlight = requests ? roomBeside(limit, share.requests, share.wanting, requests) : Math.min(limit, share.requests);
      this.kvElsewhereTokens = Math.max(0, kvCacheTokens - share.kvTokens);
    } else if (requests) {
      const own = this.#ownKvTokens;
      const kvTokens = { all: (this.engine?.kvCacheUsage ?? 0) * kvCacheTokens, ownAtLeast: own, ownAtMost: own };
      this.maxInFlight = shareUnheard(limit, gateways, requests);
      this.kvElsewhereTokens = kvCacheTokens - shareUnheard(kvCacheTokens, gateways, kvTokens);
    } else {
      this.maxInFlight = Math.max(1, Math.floor(limit / gateways));
      this.kvElsewhereTokens = kvCacheTokens - Math.floor(kvCacheTokens / gateways);
    }
  }

  /** From now on it is reached here. How it fared where it was reached before says nothing of that. */
  connect(upstream: Upstream): void {
    this.upstream = upstream;
    this.ailment = null;
    this.failures = 0;
    this.hearGauges(null, 0, NONE);
  }

  /** It is another engine now: with nothing open on it, and with an empty cache. */
  forgetEngine(): void {
    this.steps = new StepWatch(this.row.stepTime);
    this.load = this.#newLoad();
    this.preemptions = new PreemptionCount();
    this.#batchEnd = 0;
  }
}

/**
 * A request as it is open on one replica: once for each time that it is sent, since it may be tried again before the engine has let go of
 * the attempt that failed.
 */
interface Sent extends QueuedRequest {
  producedTokens: number;
}

/** What one sent request holds on a replica, from its release to its end. */
export class Reservation {
  readonly replica: LiveReplica;
  readonly #load: ReplicaLoad;
  readonly #steps: StepWatch;
  readonly #sent: Sent;
  readonly #onChange: (replica: LiveReplica) => void;
  #prefilling = true;
  #ended = false;
  #isWhole = false;
  #firstTokenTimer: NodeJS.Timeout | undefined;

  /** @param onChange told of the first token and of the end */
  constructor(replica: LiveReplica, request: QueuedRequest, onChange: (replica: LiveReplica) => void) {
    this.replica = replica;
    this.#load = replica.load;
    this.#steps = replica.steps;
    this.#sent = sentCopy(request);
    this.#onChange = onChange;
    replica.inFlight += 1;
    this.#load.open(this.#sent, performance.now(), replica.stepTime);
  }

  /** Output tokens have come; the first of them ends the prefill. */
  produced(tokens: number): void {
    if (this.#ended) return;
    this.#count(tokens);
    this.#firstToken();
  }

  /** So many output tokens were there in all, as its engine says at the end. */
  producedInAll(tokens: number): void {
    const untold = tokens - this.#sent.producedTokens;
    if (untold > 0) this.produced(untold);
  }

  /** An answer that comes as a whole shows no first token: it is held to come when it is predicted to. */
  expectFirstToken(afterMs: number): void {
    this.#isWhole = true;
    this.#steps.countWholeAnswer(1);
    this.#firstTokenTimer = setTimeout(() => this.#firstToken(), afterMs).unref();
  }

  /** Gives everything back. Again is harmless. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#firstTokenTimer);
    const { replica } = this;
    if (this.#isWhole) this.#steps.countWholeAnswer(-1);
    this.#load.end(this.#sent, performance.now(), replica.stepTime);
    replica.inFlight -= 1;
    replica.finished += 1;
    this.#onChange(replica);
  }

  #count(tokens: number): void {
    this.#sent.producedTokens += tokens;
    this.#load.produced(tokens);
  }

  #firstToken(): void {
    if (!this.#prefilling || this.#ended) return;
    this.#prefilling = false;
    clearTimeout(this.#firstTokenTimer);
    this.#load.firstToken(this.#sent, performance.now(), this.replica.stepTime);
    this.#onChange(this.replica);
  }
}

function sentCopy(request: QueuedRequest): Sent {
  return {
    id: request.id,
    deployment: request.deployment,
    class: request.class,
    tenant: request.tenant,
    tenantWeight: request.tenantWeight,
    priority: request.priority,
    arrivalMs: request.arrivalMs,
    targets: request.targets,
    deadlines: request.deadlines,
    queue: request.queue,
    inputTokens: request.inputTokens,
    predictedOutput: request.predictedOutput,
    producedTokens: 0,
    prefix: request.prefix,
    avoid: request.avoid,
    explain: request.explain,
  };
}
