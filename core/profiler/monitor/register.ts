/**
 * The book of one look: what is in force, what begins and what ends, and who has to wait. One correction of a kind and subject is in force
 * at a time; evidence from before its subject was last changed does not count against it; what was undone rests.
 */
import type { ActiveCorrection, CorrectionChange, Finding, Verdict } from './correction.ts';
import type { Eased } from './easing.ts';
import type { Evidence } from './evidence.ts';
import {
  FIRST_PATIENCE_MS,
  FIRST_PROBE_MS,
  FORGET_MS,
  keyOf,
  lengthsSubject,
  type MonitorMemory,
  own,
  replicaMemory,
  streakOf,
} from './memory.ts';
import type { Probed } from './probing.ts';
import { isAsBefore } from './step-time.ts';
import { attainmentOf } from './trial.ts';

/** Corrections that begin in one look. */
const BUDGET = 4;
const REST_AFTER_UNDONE_MS = 600_000;
/** Asked for once, then left to the workflow that does it: it has a judgement of its own, and takes its time. */
const REST_AFTER_ASKED_MS = { 'reshape-engine': 1_800_000, rebalance: 600_000 } as const;
/** Of a deviation from one look to the next. */
const GROWS = 0.15;
const PATIENT_LOOKS = 2;
const LONGEST_PATIENCE_MS = 3_600_000;

export class Register {
  memory: MonitorMemory;
  readonly #evidence: Evidence;
  readonly #verdict: Verdict = { findings: [], end: [], begin: [], keep: [] };
  readonly #streaksBefore: MonitorMemory['streaks'];

  constructor(memory: MonitorMemory, evidence: Evidence) {
    this.memory = { ...memory, lookedAtMs: evidence.atMs, streaks: {} };
    this.#evidence = evidence;
    this.#streaksBefore = memory.streaks;
  }

  onTrial(): ActiveCorrection[] {
    return this.memory.active.filter((correction) => !correction.kept);
  }

  /** Corrections of replicas that nobody has seen for long. */
  dropGone(): void {
    for (const correction of this.memory.active) {
      const { change } = correction;
      if ('replicaId' in change && !own(this.memory.replicas, change.replicaId)) this.#end(correction, 'the replica is gone');
    }
  }

  keep(correction: ActiveCorrection, reason: string): void {
    this.#verdict.keep.push({ id: correction.id, reason });
    const others = this.#others(correction);
    const isLearnersOwn = correction.change.kind === 'recalibrate-lengths';
    this.memory = { ...this.memory, active: isLearnersOwn ? others : [...others, { ...correction, kept: true }] };
  }

  undo(correction: ActiveCorrection, reason: string): void {
    this.#end(correction, reason);
    this.#rest(correction.change, REST_AFTER_UNDONE_MS);
    const { replaces } = correction;
    if (replaces) this.#keepAtOnce(replaces.finding, replaces.change, replaces.deviationBefore, `comes back: ${reason}`);
  }

  /**
   * Counts a finding; answers whether it was made in so many looks in a row. Where several are asked for, one that still grows is waited
   * for a little: windows are of both states at first, and would be corrected by half.
   */
  find(finding: Finding, looks: number, deviation: number | null): boolean {
    const key = streakOf(finding);
    const before = own(this.#streaksBefore, key);
    const streak = { looks: (before?.looks ?? 0) + 1, deviation: deviation ?? 0 };
    this.memory = { ...this.memory, streaks: { ...this.memory.streaks, [key]: streak } };
    if (!this.#verdict.findings.includes(finding)) this.#verdict.findings.push(finding);
    const stillGrows = looks > 1 && streak.looks < looks + PATIENT_LOOKS && streak.deviation > (before?.deviation ?? 0) + GROWS;
    return streak.looks >= looks && !stillGrows;
  }

  /** Begins it, unless it has to wait. One of its kind and subject that has been kept gives way. */
  begin(finding: Finding, change: CorrectionChange, deviation: number | null): void {
    const before = this.#inForce(change);
    const isAtOnce = finding.kind === 'out-of-memory' && change.kind === 'limit-admission';
    if (!isAtOnce && (this.#waits(change) || before?.kept === false)) return;
    if (this.#verdict.begin.length >= BUDGET || this.#verdict.begin.some((begun) => keyOf(begun.change) === keyOf(change))) return;
    if (change.kind === 'recalibrate-step-time' && isAsBefore(change.factor)) {
      if (before) this.#end(before, 'its steps take again what they took before it');
      return;
    }
    if (before) this.#end(before, `replaced: ${finding.message}`);
    if (change.kind === 'limit-admission') this.#tightened(change.replicaId);
    if (change.kind === 'recalibrate-step-time') this.#slowedAgain(change.replicaId);
    this.#start(finding, change, deviation ?? 0, before ?? null);
    if (change.kind === 'reshape-engine' || change.kind === 'rebalance') this.#rest(change, REST_AFTER_ASKED_MS[change.kind]);
  }

  /** Loosened limits are on no trial: trouble tightens them again. */
  loosen({ memory, loosened }: Eased): void {
    this.memory = memory;
    for (const { correction, to, reason } of loosened) {
      const isNew = this.#verdict.begin.some(({ id }) => id === correction.id);
      if (isNew || !this.memory.active.includes(correction)) continue;
      this.#end(correction, reason);
      if (!to) continue;
      this.#keepAtOnce(correction.finding, to, correction.deviationBefore, reason);
    }
  }

  /** To be seen anew: none of what was seen so far counts against it. */
  takeBack({ memory, ended }: Probed): void {
    this.memory = memory;
    for (const { correction, reason } of ended) {
      if (!this.memory.active.includes(correction)) continue;
      this.#end(correction, reason);
      const { [keyOf(correction.change)]: _, ...changedAtMs } = this.memory.changedAtMs;
      this.memory = { ...this.memory, changedAtMs };
    }
  }

  close(): { memory: MonitorMemory; verdict: Verdict } {
    const { atMs } = this.#evidence;
    const since = (times: Record<string, number>, fromMs: number) =>
      Object.fromEntries(Object.entries(times).filter(([, time]) => time > fromMs));
    this.memory = {
      ...this.memory,
      changedAtMs: since(this.memory.changedAtMs, atMs - FORGET_MS),
      restsUntilMs: since(this.memory.restsUntilMs, atMs),
    };
    return { memory: this.memory, verdict: this.#verdict };
  }

  #keepAtOnce(finding: Finding, change: CorrectionChange, deviationBefore: number, reason: string): void {
    this.#start(finding, change, deviationBefore, null);
    this.keep(this.#inForce(change)!, reason);
  }

  #start(finding: Finding, change: CorrectionChange, deviationBefore: number, before: ActiveCorrection | null): void {
    const { atMs } = this.#evidence;
    const id = `${keyOf(change)} @${atMs}`;
    this.#verdict.begin.push({ id, finding, change });
    if (change.kind !== 'reshape-engine' && change.kind !== 'rebalance') {
      const { attainment: attainmentBefore } = attainmentOf(change, this.#evidence);
      const replaces = before?.kept
        ? { finding: before.finding, change: before.change, deviationBefore: before.deviationBefore }
        : (before?.replaces ?? null);
      const started = { id, finding, change, sinceMs: atMs, attainmentBefore, deviationBefore, kept: false, replaces };
      this.memory = { ...this.memory, active: [...this.memory.active, started] };
    }
    this.#changed(change);
  }

  #end(correction: ActiveCorrection, reason: string): void {
    this.#verdict.end.push({ id: correction.id, reason });
    this.#verdict.keep = this.#verdict.keep.filter(({ id }) => id !== correction.id);
    this.memory = { ...this.memory, active: this.#others(correction) };
    this.#changed(correction.change);
  }

  #changed(change: CorrectionChange): void {
    this.memory = { ...this.memory, changedAtMs: { ...this.memory.changedAtMs, [keyOf(change)]: this.#evidence.atMs } };
  }

  #rest(change: CorrectionChange, forMs: number): void {
    this.memory = { ...this.memory, restsUntilMs: { ...this.memory.restsUntilMs, [keyOf(change)]: this.#evidence.atMs + forMs } };
  }

  /** Trouble that comes back after a limit was loosened makes the next loosening wait for longer. */
  #tightened(replicaId: string): void {
    const past = replicaMemory(this.memory, replicaId);
    const cameBack = past.loosenedAtMs !== null && this.#evidence.atMs - past.loosenedAtMs < FORGET_MS;
    const patienceMs = cameBack ? Math.min(LONGEST_PATIENCE_MS, 2 * past.patienceMs) : FIRST_PATIENCE_MS;
    this.memory = {
      ...this.memory,
      replicas: { ...this.memory.replicas, [replicaId]: { ...past, quietMs: 0, patienceMs, loosenedAtMs: null } },
    };
  }

  /** One that is needed again after it was taken back to see is not taken back again so soon. */
  #slowedAgain(replicaId: string): void {
    const past = replicaMemory(this.memory, replicaId);
    const cameBack = past.probedAtMs !== null && this.#evidence.atMs - past.probedAtMs < FORGET_MS;
    const probeAfterMs = cameBack ? Math.min(LONGEST_PATIENCE_MS, 2 * past.probeAfterMs) : FIRST_PROBE_MS;
    this.memory = {
      ...this.memory,
      replicas: { ...this.memory.replicas, [replicaId]: { ...past, passedOverMs: 0, probeAfterMs, probedAtMs: null } },
    };
  }

  #waits(change: CorrectionChange): boolean {
    const { atMs, windowMs } = this.#evidence;
    const { active, changedAtMs, restsUntilMs } = this.memory;
    const isConcerned = concerns(change);
    const isFresh = Object.entries(changedAtMs).some(([key, time]) => isConcerned(key) && time > atMs - windowMs);
    const rests = Object.entries(restsUntilMs).some(([key, untilMs]) => isConcerned(key) && untilMs > atMs);
    const key = keyOf(change);
    return isFresh || rests || active.some((other) => isConcerned(keyOf(other.change)) && keyOf(other.change) !== key);
  }

  #inForce(change: CorrectionChange): ActiveCorrection | undefined {
    return this.memory.active.find((correction) => keyOf(correction.change) === keyOf(change));
  }

  #others(correction: ActiveCorrection): ActiveCorrection[] {
    return this.memory.active.filter(({ id }) => id !== correction.id);
  }
}

/** Is a key the change's own? Lengths of a model are those of its classes too. */
function concerns(change: CorrectionChange): (key: string) => boolean {
  const ownKey = keyOf(change);
  if (change.kind !== 'recalibrate-lengths') return (key) => key === ownKey;
  const ofModel = `${change.kind} ${lengthsSubject(change.model, null)}`;
  return change.class === null
    ? (key) => key === ofModel || key.startsWith(`${ofModel} class `)
    : (key) => key === ownKey || key === ofModel;
}
