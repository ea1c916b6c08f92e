/** Step times by shape as monitoring follows them: what replicas are held to take, and what planning takes of their shape. */
import { and, eq, gt, isNotNull, isNull, sql } from 'drizzle-orm';
import type { StepTimeCoefficients, StepTimeProfile } from '../../core/domain/step-time.ts';
import type { Executor, Transaction } from '../client.ts';
import { replicas, stepTimeProfiles } from '../schema/index.ts';

export interface ReplicaStepTime {
  replicaId: string;
  model: string;
  accelerator: string;
  tensorParallel: number;
  coefficients: StepTimeCoefficients;
}

/** Of the replicas that are routed. */
export async function replicaStepTimes(db: Executor): Promise<ReplicaStepTime[]> {
  const rows = await db
    .select({
      replicaId: replicas.id,
      model: replicas.model,
      accelerator: replicas.acceleratorKind,
      tensorParallel: replicas.tensorParallel,
      coefficients: replicas.stepTime,
    })
    .from(replicas)
    .where(and(isNull(replicas.endedAt), gt(replicas.weight, 0), isNotNull(replicas.stepTime)))
    .orderBy(replicas.id);
  return rows.map((row) => ({ ...row, coefficients: row.coefficients! }));
}

/** Puts other coefficients in the place of a profile's. @returns false where it has been calibrated anew meanwhile: then that counts */
export async function replaceStepTime(tx: Transaction, profile: StepTimeProfile, coefficients: StepTimeCoefficients): Promise<boolean> {
  const { model, accelerator, tensorParallel } = profile;
  const replaced = await tx
    .update(stepTimeProfiles)
    .set({ coefficients, updatedAt: sql`now()` })
    .where(
      and(
        eq(stepTimeProfiles.model, model),
        eq(stepTimeProfiles.accelerator, accelerator),
        eq(stepTimeProfiles.tensorParallel, tensorParallel),
        sql`${stepTimeProfiles.coefficients} = ${JSON.stringify(profile.coefficients)}::jsonb`,
      ),
    );
  return replaced.rowCount === 1;
}
