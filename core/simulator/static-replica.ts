/**
 * An engine of a simulated cluster that batches statically, with what the gateway knows of it: it collects a batch while it is idle, runs
 * it through `static-engine.ts` when the scheduler has nothing more for it, and takes the next when all of it has ended. A step of it, as
 * far as the cluster is concerned, lasts until the next answer begins or ends.
 */
import { paddedStepTime, type StepTimeCoefficients } from '../domain/step-time.ts';
import { createRandom } from './random.ts';
import { type ReplicaSpec, SimulatedReplica, type Stepped } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import { type BatchMember, createStaticEngine, paddedTokens, type StaticEngine, submitBatch } from './static-engine.ts';

/** Answers that begin or end together. */
interface Event {
  atMs: number;
  firsts: Stepped[];
  finished: Stepped[];
}

const NOTHING: Event = { atMs: 0, firsts: [], finished: [] };

export class StaticReplica extends SimulatedReplica {
  override readonly batching = 'static';
  /** Token slots that its batches took, padding included: their size times their longest answer. */
  paddedOutputTokens = 0;
  readonly #engine: StaticEngine;
  #collected: SimulatedRequest[] = [];
  #refused: SimulatedRequest[] = [];
  #events: Event[] = [];
  #ended = NOTHING;

  constructor(spec: ReplicaSpec, index: number, stepTime: StepTimeCoefficients, { seed, stepNoise }: { seed: number; stepNoise: number }) {
    super(spec, index, stepTime, { seed, stepNoise });
    this.#engine = createStaticEngine({
      stepTime: paddedStepTime(spec.stepTime),
      maxBatch: this.maxInFlight,
      kvCacheTokens: spec.kvCacheTokens,
      answers: spec.static?.answers ?? 'at-batch-end',
      ...(stepNoise > 0 ? { noise: { share: stepNoise, random: createRandom(`${seed}:${spec.id}`) } } : {}),
    });
  }

  override get hasWork(): boolean {
    return this.#collected.length > 0 || this.#events.length > 0;
  }

  override holds(request: SimulatedRequest): boolean {
    const { kvCacheTokens, maxContextTokens } = this.spec;
    return paddedTokens([request]) <= kvCacheTokens && request.inputTokens + request.outputTokens <= maxContextTokens;
  }

  override take(request: SimulatedRequest, nowMs: number): boolean {
    if (!this.holds(request)) return false;
    this.#collected.push(request);
    this.load.open(request, nowMs, this.stepTime);
    return true;
  }

  override startStep(nowMs: number): number {
    if (this.#events.length === 0) this.#startBatch(nowMs);
    this.begin(nowMs);
    this.steps += 1;
    return this.#events[0]!.atMs - nowMs;
  }

  override endStep(): Event {
    this.stepping = false;
    this.#ended = this.#events.shift() ?? NOTHING;
    return this.#ended;
  }

  override takeRefused(): readonly SimulatedRequest[] {
    const refused = this.#refused;
    if (refused.length > 0) this.#refused = [];
    return refused;
  }

  override hear(nowMs: number): void {
    this.news()(nowMs);
  }

  override news(): (nowMs: number) => void {
    const { firsts, finished } = this.#ended;
    const isLast = this.#events.length === 0;
    return (nowMs) => {
      for (const { request } of firsts) this.load.firstToken(request, nowMs, this.stepTime);
      // Of tokens in between nobody is told: `producedTokens` stays 0.
      for (const { request } of finished) this.load.end(request, nowMs, this.stepTime);
      if (isLast) this.accepting = true;
    };
  }

  /** Such an engine has no gauges: what is known of it is what was sent there. */
  override readGauges(): void {}

  /** Those that no longer fit beside the ones before them, padded, are given back. One alone always fits: `take` has looked. */
  #startBatch(nowMs: number): void {
    const members: SimulatedRequest[] = [];
    for (const request of this.#collected) {
      if (paddedTokens([...members, request]) <= this.spec.kvCacheTokens) {
        members.push(request);
        continue;
      }
      this.load.end(request, nowMs, this.stepTime);
      request.releasedMs = Number.NaN;
      request.replica = -1;
      this.#refused.push(request);
    }
    this.#collected = [];
    // It is idle: its last answer has been told of. Its own clock may be a rounding error ahead.
    this.#engine.idleAtMs = nowMs;
    const submitted = submitBatch(this.#engine, members, nowMs);
    if (!submitted.accepted) throw new Error(`a batch that fits was refused: ${submitted.rejection.reason}`);
    this.accepting = false;
    this.paddedOutputTokens += members.length * Math.max(...members.map((request) => request.outputTokens));
    this.#events = eventsOf(submitted.batch.members);
  }
}

function eventsOf(members: readonly BatchMember<SimulatedRequest>[]): Event[] {
  const events = new Map<number, Event>();
  const at = (atMs: number): Event => {
    const event = events.get(atMs) ?? { atMs, firsts: [], finished: [] };
    events.set(atMs, event);
    return event;
  };
  for (const member of members) {
    at(member.firstTokenAtMs).firsts.push(member);
    at(member.endsAtMs).finished.push(member);
  }
  return [...events.values()].sort((a, b) => a.atMs - b.atMs);
}
