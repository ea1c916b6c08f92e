/** The objects that `uellm up` declares: the demo's, or those of `--fleet FILE`. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { type DeclaredObject, parseObject } from '../../core/domain/objects.ts';

/** @throws invalid-input that names the flag, the document and the field */
export function readObjects(file: string): DeclaredObject[] {
  const issue = (given: string, allowed: string) =>
    new UellmError({ kind: 'invalid-input', what: `--fleet ${file}`, issues: [{ field: '', given, allowed }] });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw issue(messageOf(error), 'a YAML or JSON file that can be read');
  }
  const documents = parseAllDocuments(text);
  return documents.flatMap((document, index) => {
    const [error] = document.errors;
    if (error) throw issue(error.message.split('\n')[0] ?? '', 'YAML or JSON documents');
    const value: unknown = document.toJS();
    return value === null ? [] : [parseObject(value, `--fleet ${file}, document ${index + 1}`)];
  });
}

/** Hosts whose worker runs here: all but those whose engines somebody else runs. */
export function localHosts(objects: readonly DeclaredObject[]): string[] {
  return objects.flatMap((object) => (object.kind === 'Host' && !object.spec.external ? [object.spec.name] : []));
}
