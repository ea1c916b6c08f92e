/** Files that flags name. */
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { parseInput } from '../../core/domain/validate.ts';
import { type SloClass, sloFileSchema } from '../../core/simulator/slo-classes.ts';
import { readYaml } from '../documents.ts';

/** @param flag that names it: `--fleet` @throws invalid-input where it cannot be read */
export async function readText(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unusable(flag, path, 'a file that can be read', error);
  }
}

/** `{ classes: [...] }` as YAML or JSON. */
export async function readSloFile(path: string): Promise<SloClass[]> {
  const documents = readYaml(await readText('--slo', path), path);
  return parseInput(sloFileSchema, documents.length > 1 ? documents : documents[0], path).classes;
}

/**
 * Before hours of work: can a file be written there, and is it none of those that are read?
 * @param inputs the files that other flags name
 * @throws invalid-input
 */
export async function checkWritable(flag: string, path: string, inputs: readonly (readonly [string, string | undefined])[]): Promise<void> {
  try {
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory()) throw new Error('it is a folder');
    for (const [of, input] of inputs) {
      const read = there && input !== undefined ? await stat(input).catch(() => null) : null;
      if (read && read.ino === there!.ino && read.dev === there!.dev) throw new Error(`it is the file of ${of}`);
    }
    await access(there ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw unusable(flag, path, 'a file in a folder that can be written to', error);
  }
}

export function unusable(flag: string, path: string, allowed: string, error: unknown): UellmError {
  const given = `${JSON.stringify(path)} (${messageOf(error)})`;
  return new UellmError({ kind: 'invalid-input', what: 'the command line', issues: [{ field: flag, given, allowed }] });
}
