import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTraceFile } from './trace-file.ts';

describe('readTraceFile', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'uellm-trace-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const file = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  };

  it.each([
    ['an azure trace, by its header', 'a.txt', 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n'],
    ['a mooncake trace, by its fields', 'b.jsonl', '{"timestamp": 0, "input_length": 374, "output_length": 44}\n'],
    ['our own, by its fields', 'c.json', '\n{"arrivalMs": 0, "inputTokens": 374, "outputTokens": 44}\n'],
  ])('reads %s', async (_, name, text) => {
    const { requests } = await readTraceFile(await file(name, text));
    expect(requests).toMatchObject([{ arrivalMs: 0, inputTokens: 374, outputTokens: 44 }]);
  });

  it('is told by the first line that tells, and by names rather than values', async () => {
    const good = '{"timestamp": 5, "input_length": 374, "output_length": 44}\n';
    for (const first of [
      '# a comment\n',
      '{"timestamp": -1, "input_length": 1, "output_length": 1}\n',
      '{"timestamp": 0, "output_length": 0}\n',
    ]) {
      const read = await readTraceFile(await file('m.txt', first + good));
      expect([read.format, read.requests.length, read.rejected.examples[0]!.line]).toEqual(['mooncake', 1, 1]);
    }
  });

  it('counts rejected rows by their line in the file', async () => {
    const path = await file('d.jsonl', '\n\nbroken\n{"arrivalMs": 0, "inputTokens": 1, "outputTokens": 1}\n');
    expect((await readTraceFile(path)).rejected).toEqual({
      count: 1,
      examples: [{ line: 3, reason: 'got "broken", allowed is a JSON object' }],
    });
  });

  it.each([
    ['of another format', 'e.txt', 'prefill,decode\n1,2\n', 'first line "prefill,decode", allowed is the header TIMESTAMP'],
    [
      'of another format with a known extension',
      'f.csv',
      'prefill,decode\n1,2\n',
      'got "prefill,decode", allowed is a header with TIMESTAMP,ContextTokens,GeneratedTokens',
    ],
    ['that is empty', 'g.csv', '\n', 'got an empty file'],
  ])('refuses a file %s', async (_, name, text, message) => {
    await expect(readTraceFile(await file(name, text))).rejects.toThrow(message);
  });

  it('refuses a file that is not there, and a folder', async () => {
    await expect(readTraceFile(join(directory, 'none.csv'))).rejects.toThrow('ENOENT');
    await expect(readTraceFile(directory)).rejects.toThrow('allowed is a file that can be read');
  });
});
