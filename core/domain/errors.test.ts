import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeError } from './errors.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FOLDERS = ['activities', 'api', 'bin', 'cli', 'core', 'db', 'engines', 'gateway', 'profiler', 'workflows'];

it.each([
  [{ kind: 'already-exists', what: 'SLO policy', name: 'chat' }, "SLO policy 'chat' exists already"],
  [{ kind: 'not-found', what: 'SLO policy', name: 'chat' }, "there is no SLO policy named 'chat'"],
  [
    { kind: 'invalid-input', what: 'a header', issues: [{ field: 'if-match', given: '"x"', allowed: 'an ETag' }] },
    'a header is not valid: if-match: got "x", allowed is an ETag',
  ],
] as const)('%j is a sentence', (detail, sentence) => {
  expect(describeError(detail as Parameters<typeof describeError>[0])).toBe(sentence);
});

it('says of one thing that it is not valid, wherever that is said', () => {
  const subjects = FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })).flatMap(
    (file) => {
      if (!file.isFile() || !/(?<!\.test)\.tsx?$/.test(file.name)) return [];
      const text = readFileSync(join(file.parentPath, file.name), 'utf8');
      const found = text.matchAll(/'invalid-input', what: '([^']+)'|parseInput\([^\n]*, '([^']+)'\)|^ {2}\w+: '(the \w+|an? \w+)',$/gm);
      return [...found].map(([, thrown, parsed, named]) => thrown ?? parsed ?? named!);
    },
  );
  expect(subjects).toContain('a header');
  expect(subjects).toContain('the request body');
  expect(subjects.filter((subject) => /^(?!.* of ).*[^s]s$/.test(subject))).toEqual([]);
});
