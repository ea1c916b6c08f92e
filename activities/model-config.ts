/** Reads a model's `config.json` from beside its weights, where the source is a folder that this machine can read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import { type ModelConfig, modelConfigSchema } from '../core/domain/model-spec.ts';
import { parseInput } from '../core/domain/validate.ts';

/**
 * @returns undefined where the source is a hub's, or its folder is on other machines only
 * @throws invalid-input that names the file and what is wrong in it
 */
export async function readModelConfig(source: string): Promise<ModelConfig | undefined> {
  if (!source.startsWith('file://')) return undefined;
  const path = orInvalid(() => join(fileURLToPath(source), 'config.json'), source, 'the address of a folder');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined
    ? undefined
    : parseInput(
        modelConfigSchema,
        orInvalid(() => JSON.parse(text), path, 'JSON'),
        path,
      );
}

function orInvalid<T>(read: () => T, what: string, allowed: string): T {
  try {
    return read();
  } catch (error) {
    const issue = { field: '', given: messageOf(error), allowed };
    throw new UellmError({ kind: 'invalid-input', what, issues: [issue] }, { cause: error });
  }
}
