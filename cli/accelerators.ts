/** The installation's own accelerators: a file whose kinds this process knows from then on. */
import { readFile } from 'node:fs/promises';
import { parseAccelerators } from '../core/domain/accelerator-catalog.ts';
import { extendCatalog } from '../core/domain/accelerators.ts';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import { readYaml } from './documents.ts';

/**
 * To be called before anything that names a kind is read. A second file takes the place of the first.
 * @param namedBy the flag or variable that names the file: `--accelerators` @throws invalid-input that names it, or the fields that are wrong
 */
export async function useAccelerators(path: string, namedBy: string): Promise<void> {
  const documents = readYaml(await readText(path, namedBy), path);
  extendCatalog(parseAccelerators(documents.length > 1 ? documents : documents[0], path));
}

async function readText(path: string, namedBy: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const issue = { field: namedBy, given: `${JSON.stringify(path)} (${messageOf(error)})`, allowed: 'a file that can be read' };
    throw new UellmError({ kind: 'invalid-input', what: 'the file of accelerators', issues: [issue] });
  }
}
