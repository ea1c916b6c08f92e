/**
 * A cluster in simulated time: requests arrive as in a trace, a gateway with the production scheduler and profiler releases them, engines
 * step as `engine.ts` does. Discrete events: an arrival, the end of a step, news that reaches the gateway late, a tick at which the gateway
 * reads the engines' gauges. The same input gives the same result on every machine.
 */
import { eachTerm, multiplied } from '../domain/step-time.ts';
import { deadlinesOf, typicalDecodeMsPerToken } from '../scheduler/deadlines.ts';
import { withRevisionShares } from '../scheduler/revisions.ts';
import type { SchedulerPolicy } from '../scheduler/types.ts';
import { EventTimes } from './event-times.ts';
import { type EngineFault, inOrder } from './faults.ts';
import { Monitored, type MonitoredLook, type MonitorOptions } from './monitored.ts';
import type { OutputPredictor } from './predictors.ts';
import { type ReplicaSpec, SimulatedReplica } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import { StaticReplica } from './static-replica.ts';

export interface ClusterInput {
  /** By arrival. The run writes into them what becomes of them: they serve one run. */
  requests: readonly SimulatedRequest[];
  replicas: readonly ReplicaSpec[];
  policy: SchedulerPolicy;
  predictor: OutputPredictor;
  seed: number;
  /** Standard deviation of a step's duration, as a share of it. */
  stepNoise: number;
  /** How old the engines' gauges are at most when the gateway reads them. */
  engineStateAgeMs: number;
  /** How late the gateway hears of tokens and ends: 0 as long as it relays the streams itself. */
  streamDelayMs: number;
  /** The scheduler's step-time model says so many times the truth. */
  modelFactor: number;
  /** What goes wrong with engines, and when; nothing where absent. */
  faults?: readonly EngineFault[];
  /** Monitoring looks after it and its corrections are carried out; where absent, nobody does. */
  monitor?: MonitorOptions;
  /** Told now and then how many requests have ended. */
  onProgress?: (ended: number) => void;
}

export interface ClusterResult {
  replicas: readonly SimulatedReplica[];
  /** When the last request ended. */
  endMs: number;
  steps: number;
  /** Looks of the monitor at which it found or did anything. */
  looks: readonly MonitoredLook[];
}

const PROGRESS_EVERY = 2000;
/** Gauges are shown one reading late. */
const TICKS_UNTIL_SHOWN = 2;

export function simulateCluster(input: ClusterInput): ClusterResult {
  return new Cluster(input).run();
}

class Cluster {
  readonly #input: ClusterInput;
  readonly #replicas: SimulatedReplica[];
  readonly #scheduler;
  readonly #stepEnds: EventTimes;
  readonly #predictor: OutputPredictor;
  readonly #monitored: Monitored | null;
  /** To come, the first first. */
  readonly #disturbances: { atMs: number; happen: (nowMs: number) => void }[];
  readonly #deadlyKvUsage = new Map<SimulatedReplica, { kvUsage: number; restartMs: number }>();
  /** Those that are up. */
  #routed: readonly SimulatedReplica[];
  readonly #late: { atMs: number; tell: (nowMs: number) => void }[] = [];
  #lateHead = 0;
  readonly #sheddable: SimulatedRequest[] = [];
  readonly #decodeMsPerToken: number;
  readonly #batchesStatically: boolean;
  /** Refused by the engine that the policy chose again: they wait for another to have room. */
  readonly #refused: SimulatedRequest[] = [];
  #fed: SimulatedReplica[] = [];
  #nextTickMs = 0;
  #arrived = 0;
  #ended = 0;
  #lastEndMs = 0;

  constructor(input: ClusterInput) {
    this.#input = input;
    this.#replicas = input.replicas.map((spec, index) => {
      const Replica = spec.static ? StaticReplica : SimulatedReplica;
      return new Replica(spec, index, multiplied(spec.stepTime, input.modelFactor), input);
    });
    this.#batchesStatically = input.replicas.some((spec) => spec.static !== undefined);
    this.#scheduler = withRevisionShares<SimulatedRequest, SimulatedReplica>(input.policy.createScheduler(input.seed));
    this.#stepEnds = new EventTimes(this.#replicas.length);
    this.#routed = this.#replicas;
    this.#monitored = input.monitor ? new Monitored(this.#replicas, input.predictor, input.monitor) : null;
    this.#predictor = this.#monitored?.predictor ?? input.predictor;
    this.#disturbances = inOrder(input.faults ?? [], input.replicas).map((fault) => ({
      atMs: fault.atMs,
      happen: (nowMs: number) => this.#befall(fault, nowMs),
    }));
    this.#decodeMsPerToken = typicalDecodeMsPerToken(this.#replicas);
  }

  run(): ClusterResult {
    const { requests, engineStateAgeMs } = this.#input;
    // A gauge is read every half age and shown one reading late: it is between half and all of that age old.
    const tickMs = Math.max(1, engineStateAgeMs / 2);
    this.#nextTickMs = tickMs;
    let idleTicks = 0;
    while (this.#ended < requests.length) {
      const arrivalMs = this.#nextArrivalMs();
      const engine = this.#stepEnds.first();
      const stepEndMs = this.#stepEnds.time(engine);
      const lateMs = this.#lateHead < this.#late.length ? this.#late[this.#lateHead]!.atMs : Number.POSITIVE_INFINITY;
      const nowMs = Math.min(arrivalMs, stepEndMs, lateMs, this.#nextTickMs, this.#nextDisturbanceMs, this.#nextLookMs);
      if (nowMs === this.#nextDisturbanceMs) {
        this.#disturbances.shift()!.happen(nowMs);
        this.#release(nowMs);
      } else if (nowMs === this.#nextLookMs) {
        this.#monitored!.look(nowMs);
        this.#release(nowMs);
      } else if (nowMs === stepEndMs) {
        this.#endStep(this.#replicas[engine]!, nowMs);
      } else if (nowMs === arrivalMs) {
        this.#arrive(requests[this.#arrived++]!);
        // A static batch cannot be joined later: who comes at the same instant is in time for it.
        if (!this.#batchesStatically || requests[this.#arrived]?.arrivalMs !== nowMs) this.#release(nowMs);
      } else if (nowMs === lateMs) {
        this.#late[this.#lateHead++]!.tell(nowMs);
        if (this.#lateHead > 4096) {
          this.#late.splice(0, this.#lateHead);
          this.#lateHead = 0;
        }
        this.#release(nowMs);
      } else {
        for (const replica of this.#replicas) replica.readGauges();
        this.#shed(nowMs);
        this.#release(nowMs);
        // With nothing under way and nobody waiting, nothing happens before the next arrival, once the gateway has read that all are idle.
        const idle = stepEndMs === Number.POSITIVE_INFINITY && !this.#someWait && arrivalMs !== Number.POSITIVE_INFINITY;
        idleTicks = idle ? idleTicks + 1 : 0;
        this.#nextTickMs = idleTicks >= TICKS_UNTIL_SHOWN ? Math.max(nowMs + tickMs, arrivalMs) : nowMs + tickMs;
      }
    }
    for (const { atMs, tell } of this.#late.slice(this.#lateHead)) tell(atMs);
    this.#input.onProgress?.(this.#ended);
    const steps = this.#replicas.reduce((sum, replica) => sum + replica.steps, 0);
    return { replicas: this.#replicas, endMs: this.#lastEndMs, steps, looks: this.#monitored?.looks ?? [] };
  }

  #nextArrivalMs(): number {
    const { requests } = this.#input;
    return this.#arrived < requests.length ? requests[this.#arrived]!.arrivalMs : Number.POSITIVE_INFINITY;
  }

  get #nextDisturbanceMs(): number {
    return this.#disturbances[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  get #nextLookMs(): number {
    return this.#monitored?.nextLookMs ?? Number.POSITIVE_INFINITY;
  }

  get #someWait(): boolean {
    return this.#scheduler.size > 0 || this.#refused.length > 0;
  }

  /** Until when, as far as is known, nobody looks at the engines: who waits looks whenever anything ends, late news are told one by one. */
  #unseenUntilMs(): number {
    if (this.#input.streamDelayMs > 0 || this.#batchesStatically || this.#someWait) return Number.NEGATIVE_INFINITY;
    return Math.min(this.#nextArrivalMs(), this.#nextTickMs, this.#nextDisturbanceMs, this.#nextLookMs);
  }

  #arrive(request: SimulatedRequest): void {
    request.predictedOutput = this.#predictor.predict(request);
    request.deadlines = deadlinesOf(
      request.targets,
      request.arrivalMs,
      request.predictedOutput.p50,
      request.queue.maxWaitMs,
      this.#decodeMsPerToken,
    );
    this.#enqueue(request);
  }

  #enqueue(request: SimulatedRequest): void {
    this.#scheduler.enqueue(request);
    if (request.queue.onHopeless === 'shed' || request.priority < 0) this.#sheddable.push(request);
  }

  #release(nowMs: number): void {
    if (!this.#someWait) return;
    for (const request of this.#refused.splice(0)) this.#scheduler.enqueue(request);
    for (let next = this.#scheduler.next(this.#routed, nowMs); next; next = this.#scheduler.next(this.#routed, nowMs)) {
      const { request, replica } = next;
      request.releasedMs = nowMs;
      request.replica = replica.index;
      if (!replica.take(request, nowMs)) this.#refuse(request, replica, nowMs);
      else if (!replica.stepping) this.#fed.push(replica);
    }
    if (this.#fed.length === 0) return;
    const fed = this.#fed;
    this.#fed = [];
    for (const replica of fed) if (!replica.stepping) this.#startStep(replica, nowMs);
  }

  /** The request goes to another engine, as long as there is one that could run it. */
  #refuse(request: SimulatedRequest, replica: SimulatedReplica, nowMs: number): void {
    const again = request.avoid.has(replica.id);
    request.avoid = new Set([...request.avoid, replica.id]);
    // It waits for another engine while others are served; when nobody is, nothing will change any more.
    const isWorthIt = !again || this.#replicas.some(({ load }) => load.inFlight > 0);
    if (isWorthIt && this.#replicas.some((other) => other.holds(request))) {
      request.releasedMs = Number.NaN;
      request.replica = -1;
      // A policy takes a replica that has failed it when no other has room: not at once again.
      if (again) this.#refused.push(request);
      else this.#scheduler.enqueue(request);
      return;
    }
    request.outcome = 'rejected';
    request.endMs = nowMs;
    this.#end(request, nowMs);
  }

  #startStep(replica: SimulatedReplica, nowMs: number): void {
    this.#stepEnds.set(replica.index, nowMs + replica.startStep(nowMs, this.#unseenUntilMs()));
    const refused = replica.takeRefused();
    if (refused.length === 0) return;
    for (const request of refused) this.#scheduler.enqueue(request);
    this.#release(nowMs);
  }

  #endStep(replica: SimulatedReplica, nowMs: number): void {
    const { firsts, finished } = replica.endStep();
    for (const { request } of firsts) request.firstTokenMs = nowMs;
    for (const { request } of finished) {
      request.endMs = nowMs;
      request.outcome = 'served';
      this.#end(request, nowMs);
    }
    const { streamDelayMs } = this.#input;
    const predictor = this.#predictor;
    if (streamDelayMs > 0) {
      const tell = replica.news();
      const observed = finished.map(({ request }) => request);
      this.#late.push({
        atMs: nowMs + streamDelayMs,
        tell: (heardMs) => {
          tell(heardMs);
          for (const request of observed) predictor.observe(request, heardMs);
        },
      });
    } else {
      replica.hear(nowMs);
      for (const { request } of finished) predictor.observe(request, nowMs);
      if (firsts.length > 0 || finished.length > 0) this.#release(nowMs);
    }
    if (replica.stepping || this.#dies(replica, nowMs)) return;
    if (replica.hasWork) {
      this.#startStep(replica, nowMs);
    } else {
      replica.rest(nowMs);
      this.#stepEnds.set(replica.index, Number.POSITIVE_INFINITY);
    }
  }

  #befall(fault: EngineFault, nowMs: number): void {
    const replica = this.#replicas.find(({ id }) => id === fault.replicaId)!;
    switch (fault.kind) {
      case 'slow-steps':
        replica.slowDown(fault.term ? eachTerm((term) => (term === fault.term ? fault.factor : 1)) : fault.factor);
        break;
      case 'smaller-kv-cache':
        this.#lose(replica, replica.shrinkKvCache(fault.share), nowMs);
        break;
      case 'out-of-memory':
        this.#deadlyKvUsage.set(replica, fault);
    }
  }

  /** Has the last step used more memory than the engine has? Then it is gone for a while. */
  #dies(replica: SimulatedReplica, nowMs: number): boolean {
    const deadly = this.#deadlyKvUsage.get(replica);
    if (!deadly || replica.nominalKvUsage <= deadly.kvUsage) return false;
    const lost = replica.die(nowMs);
    this.#stepEnds.set(replica.index, Number.POSITIVE_INFINITY);
    this.#monitored?.exited(replica, nowMs);
    this.#route();
    this.#at(nowMs + deadly.restartMs, () => {
      replica.comeBack();
      this.#route();
    });
    this.#lose(replica, lost, nowMs);
    this.#release(nowMs);
    return true;
  }

  #route(): void {
    this.#routed = this.#replicas.filter(({ isUp }) => isUp);
  }

  #at(atMs: number, happen: () => void): void {
    const place = this.#disturbances.findIndex((d) => d.atMs > atMs);
    this.#disturbances.splice(place < 0 ? this.#disturbances.length : place, 0, { atMs, happen });
  }

  /** As a gateway does: what had no token yet is tried elsewhere, and again only once; a stream that breaks has failed. */
  #lose(replica: SimulatedReplica, requests: readonly SimulatedRequest[], nowMs: number): void {
    for (const request of requests) {
      replica.load.end(request, nowMs, replica.stepTime);
      if (request.producedTokens > 0 || request.avoid.has(replica.id)) {
        request.outcome = 'failed';
        request.endMs = nowMs;
        this.#end(request, nowMs);
        continue;
      }
      request.avoid = new Set([...request.avoid, replica.id]);
      this.#waitAgain(request);
    }
  }

  #waitAgain(request: SimulatedRequest): void {
    request.sequence = null;
    request.releasedMs = Number.NaN;
    request.replica = -1;
    this.#enqueue(request);
  }

  #end(request: SimulatedRequest, nowMs: number): void {
    this.#monitored?.ended(request);
    this.#ended++;
    this.#lastEndMs = nowMs;
    if (this.#ended % PROGRESS_EVERY === 0) this.#input.onProgress?.(this.#ended);
  }

  /** Gives up those that have waited longer than a policy that lets them be shed allows. */
  #shed(nowMs: number): void {
    let kept = 0;
    for (const request of this.#sheddable) {
      if (request.outcome !== 'pending' || !Number.isNaN(request.releasedMs)) continue;
      if (nowMs - request.arrivalMs > request.queue.maxWaitMs && this.#scheduler.cancel(request)) {
        request.outcome = 'shed';
        request.endMs = nowMs;
        this.#end(request, nowMs);
        continue;
      }
      this.#sheddable[kept++] = request;
    }
    this.#sheddable.length = kept;
  }
}
