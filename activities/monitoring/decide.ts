/** One look: evidence in, verdict out, and all of it that is a row of the database done, in one transaction. */
import type { Verdict } from '../../core/profiler/monitor/correction.ts';
import type { Evidence } from '../../core/profiler/monitor/evidence.ts';
import { type MonitorMemory, monitor } from '../../core/profiler/monitor/monitor.ts';
import { attainmentOf } from '../../core/profiler/monitor/trial.ts';
import type { Transaction } from '../../db/client.ts';
import {
  announceReplicas,
  correctionByMonitorId,
  insertCorrection,
  lockMonitorMemory,
  type RecordedCorrection,
  saveMonitorMemory,
  updateCorrection,
} from '../../db/queries/monitoring-corrections.ts';
import type { ControlDeps } from '../deps.ts';
import { gatherEvidence } from './evidence.ts';
import { applyToReplica, isOfReplica, undoOnReplica } from './replica-changes.ts';
import { carryOverStepTimes, liveReplicas } from './shape-step-times.ts';
import { whySkipped } from './skipped.ts';
import { describeChange } from './wording.ts';

export interface Decided {
  findings: string[];
  /** What was begun, undone and kept, one line each. */
  done: string[];
}

/** A transaction that fails leaves the monitor as it was: it will look again and come to the same. */
export async function decide({ db, now }: Pick<ControlDeps, 'db' | 'now'>): Promise<Decided> {
  return db.transaction(async (tx) => {
    const past = await lockMonitorMemory(tx);
    const evidence = await gatherEvidence(tx, now());
    const live = await liveReplicas(tx, evidence);
    const { memory, verdict } = monitor(past, evidence);
    const done = await carryOut(tx, verdict, memory, evidence);
    const times = { atMs: evidence.atMs, sinceMs: past.lookedAtMs };
    const carried = await carryOverStepTimes(tx, memory.shapes, live, times);
    await saveMonitorMemory(tx, { ...memory, shapes: carried.shapes });
    return { findings: verdict.findings.map((f) => f.message), done: [...done, ...carried.done] };
  });
}

async function carryOut(tx: Transaction, verdict: Verdict, memory: MonitorMemory, evidence: Evidence): Promise<string[]> {
  const done: (string | null)[] = [];
  const begun = new Set(verdict.begin.map(({ id }) => id));
  // One may be kept and, in the same look, found to be needed no more. What is replaced is undone before its successor begins.
  for (const { id, reason } of verdict.keep) if (!begun.has(id)) done.push(await keepOn(tx, id, reason, evidence));
  for (const { id, reason } of verdict.end) done.push(await undo(tx, id, reason, evidence));
  for (const started of verdict.begin) done.push(await begin(tx, started, memory));
  for (const { id, reason } of verdict.keep) if (begun.has(id)) done.push(await keepOn(tx, id, reason, evidence));
  // Last: it locks the one row that every change of routing needs.
  if (verdict.begin.length + verdict.end.length > 0) await announceReplicas(tx);
  return done.filter((line) => line !== null);
}

async function begin(tx: Transaction, { id, finding, change }: Verdict['begin'][number], memory: MonitorMemory): Promise<string> {
  const skipped = await whySkipped(tx, change);
  const before = isOfReplica(change) && !skipped ? await applyToReplica(tx, change) : null;
  const pending = isOfReplica(change) || skipped ? null : change.kind === 'recalibrate-lengths' ? 'apply' : 'start';
  const action = describeChange(change);
  await insertCorrection(tx, {
    finding,
    change: { ...change, correctionId: id, pending, before, rolloutId: null },
    action,
    attainmentBefore: memory.active.find((c) => c.id === id)?.attainmentBefore ?? null,
    failure: skipped ?? (isOfReplica(change) && !before ? 'the replica is gone, or was never calibrated' : null),
  });
  return `${skipped ? `${skipped}, ` : ''}${action}: ${finding.message}`;
}

async function keepOn(tx: Transaction, correctionId: string, reason: string, evidence: Evidence): Promise<string | null> {
  const correction = await inForce(tx, correctionId);
  if (!correction) return null;
  const { id, change } = correction;
  await updateCorrection(tx, id, { state: 'kept', attainmentAfter: attainmentOf(change, evidence).attainment });
  return `kept, ${describeChange(change)}: ${reason}`;
}

async function undo(tx: Transaction, correctionId: string, reason: string, evidence: Evidence): Promise<string | null> {
  const correction = await inForce(tx, correctionId);
  if (!correction) return null;
  const { id, change } = correction;
  if (isOfReplica(change)) await undoOnReplica(tx, change);
  await updateCorrection(tx, id, {
    state: 'undone',
    undoReason: reason,
    undoneAt: new Date(evidence.atMs),
    attainmentAfter: attainmentOf(change, evidence).attainment,
    ...(change.kind === 'recalibrate-lengths' ? { change: { ...change, pending: 'undo' as const } } : {}),
  });
  return `undone, ${describeChange(change)}: ${reason}`;
}

/** The monitor does not hear of one that failed, or that somebody has removed: there is nothing to keep or to undo. */
async function inForce(tx: Transaction, correctionId: string): Promise<RecordedCorrection | null> {
  const correction = await correctionByMonitorId(tx, correctionId);
  return correction && (correction.state === 'active' || correction.state === 'kept') ? correction : null;
}
