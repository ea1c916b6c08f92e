/** Corrections that are not made because of a deployment's mode. What only makes predictions right is made in every mode. */
import { assertNever } from '../../core/domain/errors.ts';
import type { CorrectionChange } from '../../core/profiler/monitor/correction.ts';
import type { Transaction } from '../../db/client.ts';
import { modelIsInShadow, modeOf, modeOfReplica, SKIPPED_IN_SHADOW } from '../../db/queries/modes.ts';

/** Why a correction is only written down; null where it is to be made. */
export async function whySkipped(tx: Transaction, change: CorrectionChange): Promise<string | null> {
  return (await isOfShadow(tx, change)) ? SKIPPED_IN_SHADOW : null;
}

async function isOfShadow(tx: Transaction, change: CorrectionChange): Promise<boolean> {
  switch (change.kind) {
    case 'limit-admission':
      return (await modeOfReplica(tx, change.replicaId)) === 'shadow';
    case 'reshape-engine':
      return (await modeOf(tx, change.deployment)) === 'shadow';
    case 'rebalance':
      return modelIsInShadow(tx, change.model);
    case 'recalibrate-lengths':
    case 'recalibrate-step-time':
    case 'carry-step-time':
      return false;
    default:
      return assertNever(change);
  }
}
