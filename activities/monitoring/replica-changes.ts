/** Corrections of one replica: rows of the database that gateways route by. They are carried out in the transaction that records them. */
import { multiplied } from '../../core/domain/step-time.ts';
import type { CorrectionChange } from '../../core/profiler/monitor/correction.ts';
import { factorsOf, inverse } from '../../core/profiler/monitor/step-time.ts';
import { areSameCoefficients } from '../../core/profiler/shapes.ts';
import type { Transaction } from '../../db/client.ts';
import { changeReplica, type RecordedChange, type ReplicaSettings, replicaSettings } from '../../db/queries/monitoring-corrections.ts';

type ReplicaChange = Extract<CorrectionChange, { replicaId: string }>;

export function isOfReplica<C extends CorrectionChange>(change: C): change is C & ReplicaChange {
  return change.kind === 'recalibrate-step-time' || change.kind === 'limit-admission';
}

/** @returns what was in force before; null where the replica is gone, or was never calibrated, and nothing was changed */
export async function applyToReplica(tx: Transaction, change: ReplicaChange): Promise<ReplicaSettings | null> {
  const present = await replicaSettings(tx, change.replicaId);
  if (!present) return null;
  if (change.kind === 'limit-admission') {
    await changeReplica(tx, change.replicaId, { kvShare: change.kvShare, maxInFlightShare: change.maxInFlightShare });
    return { kvShare: present.kvShare, maxInFlightShare: present.maxInFlightShare };
  }
  if (!present.stepTime) return null;
  await changeReplica(tx, change.replicaId, { stepTime: multiplied(present.stepTime, factorsOf(change)) });
  return { stepTime: present.stepTime };
}

/**
 * Puts back what was in force before. Coefficients that something else has changed meanwhile are divided by what they were multiplied by, so
 * that neither change takes the other with it.
 */
export async function undoOnReplica(tx: Transaction, change: RecordedChange & ReplicaChange): Promise<void> {
  const present = await replicaSettings(tx, change.replicaId);
  const { before } = change;
  if (!present || !before) return;
  if (change.kind === 'limit-admission') return changeReplica(tx, change.replicaId, before);
  if (!present.stepTime || !('stepTime' in before)) return;
  const isOurs = areSameCoefficients(present.stepTime, multiplied(before.stepTime, factorsOf(change)));
  await changeReplica(tx, change.replicaId, {
    stepTime: isOurs ? before.stepTime : multiplied(present.stepTime, inverse(factorsOf(change))),
  });
}
