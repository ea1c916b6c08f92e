/** Files of declared objects: one or several YAML or JSON documents, each checked before anything is done with any. */
import { LineCounter, parseAllDocuments } from 'yaml';
import { type FieldIssue, messageOf, UellmError } from '../core/domain/errors.ts';
import { type DeclaredObject, OBJECT_KINDS, parseObject } from '../core/domain/objects.ts';

/** @param file its name, for errors @throws invalid-input with everything that is wrong in the whole file */
export function parseDocuments(text: string, file: string): DeclaredObject[] {
  const issues: FieldIssue[] = [];
  const objects: DeclaredObject[] = [];
  for (const [index, value] of readYaml(text, file).entries()) {
    const where = `document ${index + 1}`;
    try {
      objects.push(parseObject(withoutStatus(value), where));
    } catch (error) {
      if (!(error instanceof UellmError) || error.detail.kind !== 'invalid-input') throw error;
      const { what, issues: found } = error.detail;
      issues.push(...found.map((issue) => ({ ...issue, field: `${what}: ${issue.field || 'the object'}` })));
    }
  }
  const twice = objects.find((a, i) => objects.findIndex((b) => isSame(a, b)) !== i);
  if (twice) issues.push({ field: `${twice.kind} '${twice.spec.name}'`, given: 'the same name twice', allowed: 'each object once' });
  if (issues.length > 0) throw new UellmError({ kind: 'invalid-input', what: file, issues });
  if (objects.length === 0) throw invalidFile(file, 'nothing', `documents of kind ${OBJECT_KINDS.join(', ')}`);
  return objects.sort((a, b) => rank(a) - rank(b));
}

/** What others refer to comes first; an external host itself refers to models. */
function rank(object: DeclaredObject): number {
  if (object.kind === 'Host' && object.spec.external) return OBJECT_KINDS.indexOf('Model') + 0.5;
  return OBJECT_KINDS.indexOf(object.kind);
}

/** The documents of a text, without empty ones; merge keys (`<<: *defaults`) are followed. @param file its name, for errors @throws invalid-input where it is neither YAML nor JSON */
export function readYaml(text: string, file: string): unknown[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, merge: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error) {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      throw invalidFile(file, `line ${line}, column ${col}: ${error.message.split('\n')[0]}`, 'YAML or JSON');
    }
    const value = toPlain(document, file);
    return value === null || value === undefined ? [] : [value];
  });
}

/** Aliases are followed only here: they may lead nowhere, or to too much. */
function toPlain(document: { toJS(): unknown }, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw invalidFile(file, messageOf(error), 'YAML or JSON');
  }
}

/** `get -o yaml` writes it, and it is read-only. */
function withoutStatus(document: unknown): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document;
  const { status: _, ...rest } = document as Record<string, unknown>;
  return rest;
}

function isSame(a: DeclaredObject, b: DeclaredObject): boolean {
  return a.kind === b.kind && a.spec.name === b.spec.name;
}

function invalidFile(file: string, given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: file, issues: [{ field: '', given, allowed }] });
}
