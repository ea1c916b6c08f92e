/** What `deployModel` reads and records of its rollout. */
import type { ModelShape } from '../core/domain/model-spec.ts';
import { shapeOf } from '../core/domain/model-spec.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { GIGA } from '../core/domain/units.ts';
import { loadModel } from '../db/queries/planning-reads.ts';
import {
  endOrphan,
  endRollout,
  loadRollout,
  type RolloutRecord,
  recordRolloutStatus,
  type Turn,
  takeTurn,
} from '../db/queries/rollouts.ts';
import type { ControlDeps } from './deps.ts';
import { readModelConfig } from './model-config.ts';

export function createRolloutActivities({ db, now }: ControlDeps) {
  return {
    /** The API starts the workflow inside the transaction that inserts the row: it may not be visible for a moment, and `not-found` is tried again. */
    async loadRollout(rolloutId: string): Promise<RolloutRecord> {
      return loadRollout(db, rolloutId);
    },

    async recordRolloutStatus(rolloutId: string, status: RolloutStatus): Promise<void> {
      await recordRolloutStatus(db, rolloutId, status);
    },

    /** @returns after a success: ids of the replicas of other revisions that are there still */
    async endRollout(rolloutId: string, status: RolloutStatus): Promise<string[]> {
      return endRollout(db, rolloutId, status);
    },

    /** Has its turn come? It begins when the rollout that it waits for has ended. */
    async takeTurn(rolloutId: string): Promise<Turn> {
      return takeTurn(db, rolloutId);
    },

    /** Ends a rollout whose workflow is gone. */
    async endOrphanedRollout(rolloutId: string): Promise<void> {
      await endOrphan(db, rolloutId, 'its workflow was gone');
    },

    /** Reads the model's config: its own, the one beside its weights, or a known one. */
    async resolveModel(modelName: string): Promise<{ shape: ModelShape; detail: string }> {
      const model = await loadModel(db, modelName);
      const config = model.config ?? (await readModelConfig(model.source));
      const shape = shapeOf(config ? { ...model, config } : model);
      const billions = (shape.parameters / 1e9).toFixed(1);
      return {
        shape,
        detail: `${billions} B parameters, ${(shape.weightsBytes / GIGA).toFixed(1)} GB of weights, ${shape.kvBytesPerToken} KV bytes a token`,
      };
    },

    /** Unix time, ms: where a comparison begins. */
    async currentTimeMs(): Promise<number> {
      return now();
    },
  };
}
