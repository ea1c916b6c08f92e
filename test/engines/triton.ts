/** Real Triton on this machine, as scripts/engines/install-triton.mjs leaves it, or why it cannot be tested here. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineSpec } from '../../engines/driver.ts';
import { createTritonDriver, type TritonOptions } from '../../engines/triton/driver.ts';
import { engineSpec } from './support.ts';

export interface RealTriton {
  command: string[];
  /** Its `--backend-directory`. */
  backends: string;
}

/** Stands for the vLLM backend, whose interface it has: see its header. */
export const MODEL_FILE = fileURLToPath(new URL('./triton/model.py', import.meta.url));

export function findTriton(): RealTriton | { skipped: string } {
  const venv = join(process.env.UELLM_CACHE_DIR ?? join(homedir(), '.cache', 'uellm'), 'triton-pytriton-0.7.0');
  const readyFile = join(venv, 'ready.json');
  if (!existsSync(readyFile))
    return { skipped: `no Triton in ${venv}: scripts/engines/install-triton.mjs installs it, or says why it cannot` };
  return JSON.parse(readFileSync(readyFile, 'utf8')) as RealTriton;
}

export function tritonDriver(triton: RealTriton, directory: string, options: Partial<TritonOptions> = {}) {
  return createTritonDriver({ directory: join(directory, 'triton'), command: triton.command, ...options });
}

/** A replica of the stand-in; `args` are further settings of the model. */
export function tritonSpec(args: EngineSpec['args'] = {}, changes: Partial<EngineSpec> = {}): EngineSpec {
  return engineSpec({ engine: 'triton', ...changes, args: { backend: 'python', 'model-file': MODEL_FILE, ...args } });
}
