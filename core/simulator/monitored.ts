/**
 * Monitoring at work on a simulated cluster: gathers its evidence from what gateways and engines would say, and carries the verdicts out as
 * gateways would. A reshape or a rebalance is only recorded: the simulated fleet stays as it is.
 */
import { multiplied } from '../domain/step-time.ts';
import type { CorrectionChange, Verdict } from '../profiler/monitor/correction.ts';
import type { AnswerEvidence, Evidence, ReplicaEvidence } from '../profiler/monitor/evidence.ts';
import { emptyMemory, LOOK_EVERY_MS, type MonitorMemory, monitor, WINDOW_MS } from '../profiler/monitor/monitor.ts';
import { factorsOf, inverse } from '../profiler/monitor/step-time.ts';
import type { OutputPredictor } from './predictors.ts';
import { type RecalibratedPredictor, recalibratedPredictor } from './recalibrated-predictor.ts';
import type { SimulatedReplica } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';

export interface MonitorOptions {
  /** Between two looks, and what each looks back on. */
  everyMs?: number;
  windowMs?: number;
  /** Sees the evidence before the monitor does. */
  alter?: (evidence: Evidence) => Evidence;
}

export interface MonitoredLook extends Verdict {
  atMs: number;
}

export class Monitored {
  readonly predictor: RecalibratedPredictor;
  readonly looks: MonitoredLook[] = [];
  nextLookMs: number;
  readonly #replicas: readonly SimulatedReplica[];
  readonly #options: Required<MonitorOptions>;
  #memory: MonitorMemory = emptyMemory;
  readonly #applied = new Map<string, CorrectionChange>();
  /** Ended within the window. */
  #ended: SimulatedRequest[] = [];
  #exits: { replica: SimulatedReplica; atMs: number }[] = [];
  /** At the looks within the window, and the last one before it: how many each replica had preempted. */
  #preempted: { atMs: number; byReplica: number[] }[] = [];

  constructor(replicas: readonly SimulatedReplica[], predictor: OutputPredictor, options: MonitorOptions) {
    this.#replicas = replicas;
    this.#options = { everyMs: LOOK_EVERY_MS, windowMs: WINDOW_MS, alter: (evidence) => evidence, ...options };
    this.predictor = recalibratedPredictor(predictor);
    this.nextLookMs = this.#options.everyMs;
    this.#preempted.push({ atMs: 0, byReplica: replicas.map(() => 0) });
  }

  ended(request: SimulatedRequest): void {
    this.#ended.push(request);
  }

  exited(replica: SimulatedReplica, atMs: number): void {
    this.#exits.push({ replica, atMs });
  }

  look(nowMs: number): void {
    this.nextLookMs = nowMs + this.#options.everyMs;
    const { memory, verdict } = monitor(this.#memory, this.#options.alter(this.#evidence(nowMs)));
    this.#memory = memory;
    for (const { id } of verdict.end) {
      const change = this.#applied.get(id);
      if (change) this.#apply(change, true);
      this.#applied.delete(id);
    }
    for (const { id, change } of verdict.begin) {
      this.#apply(change, false);
      this.#applied.set(id, change);
    }
    if (verdict.findings.length + verdict.begin.length + verdict.end.length + verdict.keep.length > 0)
      this.looks.push({ atMs: nowMs, ...verdict });
  }

  #apply(change: CorrectionChange, isUndone: boolean): void {
    switch (change.kind) {
      case 'recalibrate-lengths':
        this.predictor.recalibrate(change.class, isUndone ? 1 / change.factor : change.factor);
        break;
      case 'recalibrate-step-time': {
        const replica = this.#replica(change.replicaId);
        const factors = factorsOf(change);
        replica.recalibrate(multiplied(replica.stepTime, isUndone ? inverse(factors) : factors));
        break;
      }
      case 'limit-admission':
        this.#replica(change.replicaId).limit(isUndone ? { kvShare: 1, maxInFlightShare: 1 } : change);
        break;
      case 'reshape-engine':
      case 'rebalance':
      case 'carry-step-time':
        break;
    }
  }

  #replica(replicaId: string): SimulatedReplica {
    return this.#replicas.find(({ id }) => id === replicaId)!;
  }

  #evidence(nowMs: number): Evidence {
    const { windowMs } = this.#options;
    const fromMs = nowMs - windowMs;
    this.#ended = this.#ended.filter((r) => r.endMs > fromMs);
    this.#exits = this.#exits.filter(({ atMs }) => atMs > fromMs);
    while (this.#preempted.length > 1 && this.#preempted[1]!.atMs <= fromMs) this.#preempted.shift();
    const before = this.#preempted[0]!.byReplica;
    const classes = [...new Set(this.#ended.map((r) => r.class))].sort();
    const evidence = {
      atMs: nowMs,
      windowMs,
      answers: classes.map((name) =>
        answersOf(
          name,
          this.#ended.filter((r) => r.class === name),
        ),
      ),
      replicas: this.#replicas.map((replica, i) => this.#evidenceOf(replica, replica.preemptions - before[i]!, nowMs)),
    };
    this.#preempted.push({ atMs: nowMs, byReplica: this.#replicas.map(({ preemptions }) => preemptions) });
    return evidence;
  }

  #evidenceOf(replica: SimulatedReplica, preemptions: number, nowMs: number): ReplicaEvidence {
    const { id, index, generation, isUp, load, spec } = replica;
    const ended = this.#ended.filter((r) => r.replica === index);
    return {
      replicaId: id,
      deployment: 'simulated',
      model: 'simulated',
      generation,
      stepTimeRatio: isUp ? load.stepTimeRatio(nowMs) : null,
      stepTimeFit: isUp ? replica.liveStepTime.coefficients : null,
      stepTime: replica.stepTime,
      kvUsage: isUp ? replica.kvUsage : null,
      expectedKvUsage: isUp ? (load.decodeContextTokens + load.prefillTokens) / spec.kvCacheTokens : null,
      preemptions,
      outOfMemoryExits: this.#exits.filter((exit) => exit.replica === replica).length,
      ...replica.queued,
      judged: ended.length,
      attained: ended.filter((r) => r.attained).length,
    };
  }
}

function answersOf(name: string, ended: readonly SimulatedRequest[]): AnswerEvidence {
  const served = ended.filter((r) => r.outcome === 'served');
  const share = (of: (r: SimulatedRequest) => boolean) => served.filter(of).length / Math.max(1, served.length);
  const ratios = served.map((r) => r.outputTokens / r.predictedOutput.p50).sort((a, b) => a - b);
  return {
    model: 'simulated',
    class: name,
    answers: served.length,
    aboveP50: share((r) => r.outputTokens > r.predictedOutput.p50),
    aboveP90: share((r) => r.outputTokens > r.predictedOutput.p90),
    medianRatio: ratios[Math.floor(ratios.length / 2)] ?? 1,
    judged: ended.length,
    attained: ended.filter((r) => r.attained).length,
  };
}
