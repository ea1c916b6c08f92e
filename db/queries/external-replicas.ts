/** Replicas of external hosts: engines that someone else runs. They are routed from the moment they are declared, and never started or stopped. */
import { and, asc, eq, inArray, isNull } from 'drizzle-orm';
import type { EngineKind } from '../../core/domain/deployment.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { Executor } from '../client.ts';
import { replicas } from '../schema/index.ts';
import { notifyChange } from './changes.ts';
import { bumpRoutingVersion } from './routing.ts';

export interface ExternalReplica {
  id: string;
  model: string;
  host: string;
  endpoint: string;
  engine: EngineKind;
  accelerators: number[];
  acceleratorKind: string;
  stepTime: StepTimeCoefficients;
  kvCacheTokens: number;
  maxInFlight: number;
}

/** External replicas belong to no deployment that anyone could declare: names have no slash. */
export const externalDeployment = (host: string) => `external/${host}`;

export async function livingExternalReplicas(db: Executor, host: string): Promise<ExternalReplica[]> {
  const rows = await db
    .select()
    .from(replicas)
    .where(and(eq(replicas.deployment, externalDeployment(host)), isNull(replicas.endedAt)))
    .orderBy(asc(replicas.id));
  return rows.map(({ id, model, endpoint, engine, accelerators, acceleratorKind, stepTime, kvCacheTokens, maxInFlight }) => ({
    id,
    model,
    host,
    endpoint: endpoint!,
    engine,
    accelerators,
    acceleratorKind,
    stepTime: stepTime!,
    kvCacheTokens: kvCacheTokens!,
    maxInFlight,
  }));
}

/** Ends some external replicas of a host and adds others; gateways learn of both at once. */
export async function changeExternalReplicas(tx: Executor, host: string, change: { end: string[]; add: ExternalReplica[] }): Promise<void> {
  if (change.end.length === 0 && change.add.length === 0) return;
  if (change.end.length > 0) {
    const ended = {
      state: 'stopped' as const,
      reason: 'no longer declared by its host',
      weight: 0,
      endedAt: new Date(),
      updatedAt: new Date(),
    };
    await tx.update(replicas).set(ended).where(inArray(replicas.id, change.end));
  }
  if (change.add.length > 0) await tx.insert(replicas).values(change.add.map((replica) => toRow(host, replica)));
  await notifyChange(tx, 'replicas');
  await bumpRoutingVersion(tx);
}

function toRow(host: string, replica: ExternalReplica): typeof replicas.$inferInsert {
  return {
    ...replica,
    host,
    deployment: externalDeployment(host),
    revision: 0,
    tensorParallel: replica.accelerators.length,
    state: 'ready',
    weight: 100,
    simulated: false,
    reason: 'declared by its host',
  };
}
