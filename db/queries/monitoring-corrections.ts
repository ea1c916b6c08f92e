/**
 * What monitoring remembers between looks, and the corrections that it made: a row each, from its finding to its end. A row's `change` says
 * beside the change itself under which id the monitor knows it, what it replaced, and what of it is still to be carried out.
 */
import { and, desc, eq, inArray, isNull, sql } from 'drizzle-orm';
import { notFound } from '../../core/domain/errors.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { CorrectionChange, Finding } from '../../core/profiler/monitor/correction.ts';
import { emptyMemory, type MonitorMemory } from '../../core/profiler/monitor/monitor.ts';
import type { Executor, Transaction } from '../client.ts';
import { corrections, monitorMemory, replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { bumpRoutingVersion } from './routing.ts';

/** Outside of the database, to be done once and tried until it is: to apply a change, to undo it, or to start the workflow that carries it out. */
export type Pending = 'apply' | 'undo' | 'start';

export type RecordedChange = CorrectionChange & {
  /** The monitor's id of it: unique for ever. */
  correctionId: string;
  pending: Pending | null;
  /** What was in force before; null where nothing is put back. */
  before: ReplicaSettings | null;
  /** Of a new shape: the rollout that brings it. */
  rolloutId: string | null;
};

/** What monitoring may change of a replica. */
export type ReplicaSettings = { stepTime: StepTimeCoefficients } | { kvShare: number; maxInFlightShare: number };

export interface RecordedCorrection {
  id: number;
  state: typeof corrections.$inferSelect.state;
  change: RecordedChange;
}

/** Holds the memory until the transaction ends: one look at a time, whoever asks for it. */
export async function lockMonitorMemory(tx: Transaction): Promise<MonitorMemory> {
  await tx
    .insert(monitorMemory)
    .values({ id: 1, memory: { ...emptyMemory } })
    .onConflictDoNothing();
  const [row] = await tx.select().from(monitorMemory).where(eq(monitorMemory.id, 1)).for('update');
  // An earlier release remembered less.
  return { ...emptyMemory, ...row!.memory };
}

export async function saveMonitorMemory(tx: Transaction, memory: MonitorMemory): Promise<void> {
  await tx.update(monitorMemory).set({ memory, updatedAt: new Date() }).where(eq(monitorMemory.id, 1));
}

export interface NewCorrection {
  finding: Finding;
  change: RecordedChange;
  /** What it does, in one line. */
  action: string;
  /** Of the requests concerned, 0 to 1. */
  attainmentBefore: number | null;
  /** Why it could not be brought into force; null where it was, or is to be. */
  failure: string | null;
}

export async function insertCorrection(
  tx: Transaction,
  { finding, change, action, attainmentBefore, failure }: NewCorrection,
): Promise<void> {
  await tx.insert(corrections).values({
    kind: finding.kind,
    subject: finding.subject,
    evidence: { message: finding.message, ...finding.figures },
    action,
    change,
    attainmentBefore,
    state: failure === null ? 'active' : 'failed',
    undoReason: failure,
  });
  await notifyChange(tx, 'corrections');
}

const recorded = { id: corrections.id, state: corrections.state, change: corrections.change };
const toRecorded = (row: { id: number; state: RecordedCorrection['state']; change: unknown }): RecordedCorrection => ({
  ...row,
  change: row.change as RecordedChange,
});

/** The correction that the monitor knows by this id; null where somebody has removed it. */
export async function correctionByMonitorId(db: Executor, correctionId: string): Promise<RecordedCorrection | null> {
  const isIt = sql`${corrections.change}->>'correctionId' = ${correctionId}`;
  const [row] = await db.select(recorded).from(corrections).where(isIt).orderBy(desc(corrections.id)).limit(1);
  return row ? toRecorded(row) : null;
}

/** @throws not-found */
export async function lockCorrection(tx: Transaction, id: number): Promise<RecordedCorrection> {
  const [row] = await tx.select(recorded).from(corrections).where(eq(corrections.id, id)).for('update');
  if (!row) throw notFound('correction', String(id));
  return toRecorded(row);
}

/** Corrections of which something is still to be carried out, the oldest first. */
export async function pendingCorrections(db: Executor): Promise<RecordedCorrection[]> {
  const isPending = sql`${corrections.change}->>'pending' is not null`;
  const rows = await db.select(recorded).from(corrections).where(isPending).orderBy(corrections.id);
  return rows.map(toRecorded);
}

/** How many are in force. */
export async function correctionsInForce(db: Executor): Promise<number> {
  return db.$count(corrections, and(inArray(corrections.state, ['active', 'kept']), isNull(corrections.undoneAt)));
}

/** Something became of it. */
export async function updateCorrection(
  tx: Executor,
  id: number,
  set: Partial<Pick<typeof corrections.$inferInsert, 'state' | 'attainmentAfter' | 'undoReason' | 'undoneAt' | 'change'>>,
): Promise<void> {
  await tx.update(corrections).set(set).where(eq(corrections.id, id));
  await notifyChange(tx, 'corrections');
}

/** What a replica that has not ended is held to be now; null where there is none. */
export async function replicaSettings(
  tx: Executor,
  replicaId: string,
): Promise<{ stepTime: StepTimeCoefficients | null; kvShare: number; maxInFlightShare: number } | null> {
  const [row] = await tx
    .select({ stepTime: replicas.stepTime, kvShare: replicas.kvShare, maxInFlightShare: replicas.maxInFlightShare })
    .from(replicas)
    .where(and(eq(replicas.id, replicaId), isNull(replicas.endedAt)));
  return row ?? null;
}

/** Gateways are not told yet: call `announceReplicas` last in the transaction. */
export async function changeReplica(tx: Transaction, replicaId: string, settings: ReplicaSettings): Promise<void> {
  await tx
    .update(replicas)
    .set({ ...settings, updatedAt: new Date() })
    .where(and(eq(replicas.id, replicaId), isNull(replicas.endedAt)));
}

/** Tells gateways and watchers that replicas are held to be something else. */
export async function announceReplicas(tx: Transaction): Promise<void> {
  await notifyChange(tx, 'replicas');
  await bumpRoutingVersion(tx);
}
