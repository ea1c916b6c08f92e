/** Evidence for tests of monitoring: all as predicted unless a test says otherwise. */
import type { AnswerEvidence, Evidence, ReplicaEvidence } from '../../core/profiler/monitor/evidence.ts';
import { emptyMemory, LOOK_EVERY_MS, type MonitorMemory, monitor, WINDOW_MS } from '../../core/profiler/monitor/monitor.ts';

export function answerEvidence(parts: Partial<AnswerEvidence> = {}): AnswerEvidence {
  return { model: 'm', class: 'chat', answers: 200, aboveP50: 0.5, aboveP90: 0.1, medianRatio: 1, judged: 200, attained: 198, ...parts };
}

export function replicaEvidence(parts: Partial<ReplicaEvidence> = {}): ReplicaEvidence {
  return {
    replicaId: 'r0',
    deployment: 'd',
    model: 'm',
    generation: 1,
    stepTimeRatio: 1,
    kvUsage: 0.6,
    expectedKvUsage: 0.6,
    preemptions: 0,
    outOfMemoryExits: 0,
    running: 20,
    waiting: 0,
    judged: 100,
    attained: 99,
    ...parts,
  };
}

export type Seen = Partial<Pick<Evidence, 'answers' | 'replicas'>>;

/** A monitor that looks every ten seconds. */
export class Looking {
  memory: MonitorMemory = emptyMemory;
  atMs = 1_000_000;

  look({ answers = [answerEvidence()], replicas = [replicaEvidence()] }: Seen = {}) {
    this.atMs += LOOK_EVERY_MS;
    const { memory, verdict } = monitor(this.memory, { atMs: this.atMs, windowMs: WINDOW_MS, answers, replicas });
    // As a store would keep it.
    this.memory = JSON.parse(JSON.stringify(memory));
    return verdict;
  }

  /** Looks at the same for a while: what began, ended and was kept meanwhile. */
  lookFor(seconds: number, seen: Seen = {}) {
    const verdicts = Array.from({ length: (seconds * 1000) / LOOK_EVERY_MS }, () => this.look(seen));
    return {
      findings: verdicts.flatMap((v) => v.findings),
      begin: verdicts.flatMap((v) => v.begin),
      end: verdicts.flatMap((v) => v.end),
      keep: verdicts.flatMap((v) => v.keep),
      changes: verdicts.flatMap((v) => v.begin.map(({ change }) => change)),
    };
  }
}
