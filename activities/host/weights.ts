/** Are the weights where the engine will look for them? */
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../../engines/driver.ts';

export function createWeightActivities() {
  return {
    /** @returns one line on where the weights come from. @throws engine-failed when a `file://` source is not on this host */
    async fetchWeights({ engine, replicaId, source }: Pick<EngineSpec, 'engine' | 'replicaId' | 'source'>): Promise<string> {
      if (engine === 'simulated') return 'a simulated engine loads no weights';
      if (source.startsWith('hf://')) return `${source} comes through the hub's own client as the engine starts`;
      const path = fileURLToPath(source);
      const found = await stat(path).catch(() => undefined);
      if (!found?.isDirectory())
        throw new UellmError({ kind: 'engine-failed', replicaId, reason: `${source}: no such folder on this host` });
      return `${path} is on this host`;
    },
  };
}
