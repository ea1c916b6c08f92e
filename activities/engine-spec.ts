/** What a host needs to start a replica's engine, put together from what is declared and what is known. */
import { acceleratorKind } from '../core/domain/accelerators.ts';
import type { DeploymentSpec } from '../core/domain/deployment.ts';
import { DEFAULT_MAX_SEQUENCES, kvCacheTokens, memorySettings } from '../core/domain/memory.ts';
import { type Model, type ModelShape, shapeOf } from '../core/domain/model-spec.ts';
import { priorStepTime } from '../core/domain/step-time.ts';
import type { Database } from '../db/client.ts';
import { loadModel } from '../db/queries/planning-reads.ts';
import { stepTimeProfiles } from '../db/queries/profiler.ts';
import type { ReplicaRow } from '../db/queries/replicas.ts';
import { revisionSpec } from '../db/queries/revisions.ts';
import type { EngineSpec } from '../engines/driver.ts';
import { readModelConfig } from './model-config.ts';

/** What a revision of a deployment serves. @throws not-found */
export async function revisionServed(
  db: Database,
  deployment: string,
  revision: number,
): Promise<{ spec: DeploymentSpec; model: Model; shape: ModelShape }> {
  const spec = await revisionSpec(db, deployment, revision);
  const declared = await loadModel(db, spec.model);
  const config = declared.config ?? (await readModelConfig(declared.source));
  const model = config ? { ...declared, config } : declared;
  return { spec, model, shape: shapeOf(model) };
}

/** The engine of a replica, as it serves this revision. @throws not-found */
export async function engineSpecOf(db: Database, replica: ReplicaRow, revision = replica.revision): Promise<EngineSpec> {
  const { spec, model, shape } = await revisionServed(db, replica.deployment, revision);
  const { args } = spec.engine;
  const kind = acceleratorKind(replica.acceleratorKind);
  const known = (await stepTimeProfiles(db)).find(
    (p) => p.model === model.name && p.accelerator === kind.id && p.tensorParallel === replica.tensorParallel,
  );
  return {
    replicaId: replica.id,
    generation: replica.generation,
    host: replica.host,
    engine: replica.engine,
    deployment: replica.deployment,
    model: model.name,
    source: model.source,
    dtype: model.dtype,
    shape,
    accelerators: replica.accelerators,
    acceleratorKind: replica.acceleratorKind,
    tensorParallel: replica.tensorParallel,
    args,
    // A simulated engine imitates the accelerator, not what was last measured of the imitation.
    stepTime: (replica.engine === 'simulated'
      ? priorStepTime(shape, kind, replica.tensorParallel)
      : (known ?? priorStepTime(shape, kind, replica.tensorParallel))
    ).coefficients,
    kvCacheTokens: Math.max(16, kvCacheTokens(shape, kind, replica.tensorParallel, memorySettings(args))),
    maxSequences: Number(args['max-num-seqs'] ?? DEFAULT_MAX_SEQUENCES),
  };
}
