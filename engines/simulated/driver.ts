/** Simulated engines: processes that speak vLLM's API and take their timing from the step-time model. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineDriver } from '../driver.ts';
import { embeddingClient } from '../embeddings.ts';
import { readVllmMetrics } from '../metrics.ts';
import { probeReady, streamCompletion } from '../openai.ts';
import { isSimulatedEngineBuilt, simulatedEngineEntry } from './entry.ts';

/** As `engines/vllm/driver.ts` sets them for real engines: the gateway's order holds, and the host decides how long requests may finish. */
const DEFAULT_ARGS = { 'scheduling-policy': 'priority', 'shutdown-timeout': 3600 };

/** @param options.directory where the specs of engines are kept for their processes to read */
export function createSimulatedDriver({ directory }: { directory: string }): EngineDriver {
  return {
    kind: 'simulated',
    stopGraceSeconds: 20,

    async launch(spec, { address, port }) {
      if (!isSimulatedEngineBuilt()) {
        const reason = `${simulatedEngineEntry} does not exist: run npm run build`;
        throw new UellmError({ kind: 'engine-failed', replicaId: spec.replicaId, reason });
      }
      await mkdir(directory, { recursive: true });
      const file = join(directory, `${spec.replicaId}.json`);
      await writeFile(file, JSON.stringify({ ...spec, args: { ...DEFAULT_ARGS, ...spec.args } }));
      const args = [simulatedEngineEntry, '--spec', file, '--address', address, '--port', String(port)];
      return { command: process.execPath, args, env: {} };
    },

    probe: ({ endpoint, spec }) => probeReady(endpoint, spec.deployment),
    metrics: readVllmMetrics,
    stream: streamCompletion,
    embeddings: embeddingClient,
  };
}
