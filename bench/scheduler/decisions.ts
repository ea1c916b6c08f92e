/**
 * How long one decision takes: a call of `next` under overload, in the simulator, so that engines are as steps, first tokens and ends have
 * left them. A scheduler that counts stands before the policy's: it keeps the queue at its length, turning others away as a gateway with a
 * full queue does, and measures from when engines and queue are full.
 */
import { quantileOfSorted } from '../../core/domain/statistics.ts';
import type { QueuedRequest, ReplicaView, Scheduler, SchedulerPolicy } from '../../core/scheduler/types.ts';
import { simulate } from '../../core/simulator/simulation.ts';
import type { TraceRequest } from '../../core/simulator/traces/rows.ts';
import { chatWorkload } from '../../core/simulator/workload.ts';
import { fleetReplicas } from './fleets.ts';
import { sloClasses } from './slos.ts';

export interface DecisionSetting {
  /** A multiple of 4: a quarter H100, a quarter A100-80, half L40S. */
  engines: number;
  queued: number;
  /** Calls to measure. */
  calls: number;
  /** Simulated time before the first of them, at least: until then engines fill up and the code is compiled. */
  warmUpSeconds: number;
}

export interface Decisions {
  policy: string;
  engines: number;
  queued: number;
  calls: number;
  /** Of the calls, those that released a request; the others found that nothing can go. */
  releases: number;
  /** Requests open on an engine, in the mean, at the end. */
  runningPerEngine: number;
  p50Us: number;
  p99Us: number;
  maxUs: number;
  /** p99 of those that released a request: 0 of none. */
  releaseP99Us: number;
}

export const DECISION_SETTINGS: readonly (DecisionSetting & { p99BarUs: number })[] = [
  { engines: 64, queued: 1000, calls: 20_000, warmUpSeconds: 6, p99BarUs: 100 },
  { engines: 1000, queued: 10_000, calls: 10_000, warmUpSeconds: 2.5, p99BarUs: 1000 },
];

/** About three times what such a fleet sustains. */
const REQUESTS_PER_SECOND_AND_ENGINE = 12;
/** Enough to fill every engine and the queue under any policy. */
const SECONDS = 40;
const MAX_SEQUENCES = 128;

export function measureDecisions(policy: SchedulerPolicy, setting: DecisionSetting): Decisions {
  const { engines } = setting;
  const measurement = new Measurement(setting);
  const requestsPerSecond = engines * REQUESTS_PER_SECOND_AND_ENGINE;
  try {
    simulate({
      trace: chats(requestsPerSecond, requestsPerSecond * SECONDS),
      replicas: fleetReplicas({
        model: 'llama-3.1-8b',
        groups: [
          ['H100-SXM', 1, engines / 4],
          ['A100-80G-SXM', 1, engines / 4],
          ['L40S', 1, engines / 2],
        ],
      }).map((spec) => ({ ...spec, maxSequences: MAX_SEQUENCES })),
      classes: sloClasses('chat', 'fixed'),
      policy: { ...policy, createScheduler: (seed) => measurement.before(policy.createScheduler(seed)) },
      predictor: 'class-mean',
      rateScale: 1,
      seed: 1,
    });
  } catch (error) {
    if (error !== measurement.enough) throw error;
  }
  return { policy: policy.name, ...measurement.result() };
}

class Measurement {
  /** Thrown when all calls are measured: nobody is interested in how the simulation ends. */
  readonly enough = new Error('enough calls');
  readonly #setting: DecisionSetting;
  readonly #tookUs: number[] = [];
  readonly #releaseUs: number[] = [];
  #running = 0;

  constructor(setting: DecisionSetting) {
    this.#setting = setting;
  }

  before<R extends QueuedRequest, V extends ReplicaView>(scheduler: Scheduler<R, V>): Scheduler<R, V> {
    const { queued, calls, warmUpSeconds } = this.#setting;
    let wasFull = false;
    return {
      get size() {
        return scheduler.size;
      },
      enqueue: (request) => {
        if (scheduler.size < queued) scheduler.enqueue(request);
        else wasFull = true;
      },
      cancel: (request) => scheduler.cancel(request),
      next: (replicas, nowMs, all) => {
        if (!wasFull || nowMs < 1000 * warmUpSeconds) return scheduler.next(replicas, nowMs, all);
        const startedMs = performance.now();
        const assignment = scheduler.next(replicas, nowMs, all);
        const us = 1000 * (performance.now() - startedMs);
        this.#tookUs.push(us);
        if (assignment) this.#releaseUs.push(us);
        if (this.#tookUs.length < calls) return assignment;
        this.#running = replicas.reduce((sum, replica) => sum + replica.load.inFlight, 0);
        throw this.enough;
      },
    };
  }

  result(): Omit<Decisions, 'policy'> {
    const { engines, queued } = this.#setting;
    const sorted = Float64Array.from(this.#tookUs).sort();
    return {
      engines,
      queued,
      calls: sorted.length,
      releases: this.#releaseUs.length,
      runningPerEngine: this.#running / engines,
      p50Us: quantileOfSorted(sorted, 0.5),
      p99Us: quantileOfSorted(sorted, 0.99),
      maxUs: quantileOfSorted(sorted, 1),
      releaseP99Us: quantileOfSorted(Float64Array.from(this.#releaseUs).sort(), 0.99),
    };
  }
}

function chats(requestsPerSecond: number, requests: number): TraceRequest[] {
  const stream = chatWorkload({ seed: 1, requestsPerSecond });
  return Array.from({ length: requests }, () => stream.next().value);
}
