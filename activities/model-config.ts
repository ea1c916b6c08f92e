/** Reads a model's `config.json` from beside its weights, where the source is a folder that this machine can read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ModelConfig, modelConfigSchema } from '../core/domain/model-spec.ts';
import { parseInput } from '../core/domain/validate.ts';

/** @returns undefined where the source is a hub's, or its folder is on other machines only */
export async function readModelConfig(source: string): Promise<ModelConfig | undefined> {
  if (!source.startsWith('file://')) return undefined;
  const path = join(fileURLToPath(source), 'config.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : parseInput(modelConfigSchema, JSON.parse(text), path);
}
