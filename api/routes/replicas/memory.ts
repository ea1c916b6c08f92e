/** The memory of replicas as their rows, their models and the gateways tell of it. */
import { findAcceleratorKind } from '../../../core/domain/accelerators.ts';
import { shapeOf } from '../../../core/domain/model-spec.ts';
import { replicaMemory } from '../../../core/domain/replica-memory.ts';
import type { Executor } from '../../../db/client.ts';
import { declaredModels } from '../../../db/queries/models.ts';
import { leaseGauges } from '../../../db/queries/monitoring-evidence.ts';
import type { ReplicaRow } from '../../../db/queries/replicas.ts';
import type { ReplicaResource } from '../../schema/index.ts';

type Memory = ReplicaResource['status']['memory'];

const LEASE_AGE_MS = 10_000;

/** Of each of these replicas by its id; null where the shape of its model or the memory of its accelerators is not known. */
export async function memoryOf(db: Executor, rows: readonly ReplicaRow[]): Promise<Map<string, Memory>> {
  const living = rows.filter((row) => row.endedAt === null && row.accelerators.length > 0);
  if (living.length === 0) return new Map();
  const models = new Map((await declaredModels(db, [...new Set(living.map((row) => row.model))])).map((model) => [model.name, model]));
  const leases = await leaseGauges(db, LEASE_AGE_MS);
  const usage = (id: string) => {
    const gauges = leases.flatMap((lease) => lease.gauges[id] ?? []);
    return gauges.find((g) => g.kvUsage !== null)?.kvUsage ?? gauges.find((g) => g.expectedKvUsage !== null)?.expectedKvUsage ?? null;
  };
  return new Map(
    living.map(({ id, model: name, acceleratorKind, accelerators, kvCacheTokens }): [string, Memory] => {
      const kind = findAcceleratorKind(acceleratorKind);
      const model = models.get(name);
      if (!kind || !model) return [id, null];
      try {
        return [id, { ...replicaMemory(shapeOf(model), accelerators.length, kvCacheTokens, kind), kvUsage: usage(id) }];
      } catch {
        // Its config is with its source, not here.
        return [id, null];
      }
    }),
  );
}
