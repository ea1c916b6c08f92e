import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../test/support/cli.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-evaluate-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const lines = Array.from({ length: 40 }, (_, i) =>
  JSON.stringify({ instruction: i % 2 ? 'Write an essay.' : 'In one word?', output: 'word '.repeat(i % 2 ? 300 : 2) }),
);
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const evaluate = (train: string, test: string, ...more: string[]) =>
  runCli(['profiler', 'evaluate', '--train', train, '--test', test, ...more]);

describe('uellm profiler evaluate', () => {
  it('prints the figures of the contract, in its order', async () => {
    const path = file('plain', lines.join('\n'));
    const { exitCode, out, err } = await evaluate(path, path, '--json');
    expect([exitCode, err]).toEqual([0, '']);
    const found = JSON.parse(out);
    expect(Object.keys(found)).toEqual(['requests', 'spearman', 'maeTokens', 'maeConstantMedianTokens', 'coverage90', 'predictMicros']);
    expect(found).toMatchObject({ requests: 40, predictMicros: { p50: expect.any(Number), p99: expect.any(Number) } });
    expect(found.spearman).toBeGreaterThan(0.8);
    expect(found.maeTokens).toBeLessThan(found.maeConstantMedianTokens);
  });

  it('reads files of other systems: a byte order mark, and lines that end in CR LF', async () => {
    const path = file('foreign', `\uFEFF${lines.join('\r\n')}\r\n`);
    const { out, err } = await evaluate(path, path, '--json');
    expect(err).toBe('');
    expect(JSON.parse(out).requests).toBe(40);
  });

  it('names the lines that it leaves out, once for a file that is given twice', async () => {
    const path = file('partly', `${lines.join('\n')}\n{"instruction":"a"}\nnull\n\n{"instruction":"a","output":""}\nno JSON\n`);
    const { exitCode, err } = await evaluate(path, path);
    expect(exitCode).toBe(0);
    expect(err).toBe(`note: ${path}: 4 of 45 lines have no instruction and output and are left out (line 41, 42, 44, 45)\n`);
  });

  it('compares with no constant that makes no error', async () => {
    const path = file('one', lines[0]!);
    const { out } = await evaluate(path, path);
    expect(out).toMatch(/of the constant median +0\.0 tokens\n/);
  });

  it.each([
    ['is not there', () => join(directory, 'nowhere'), 'ENOENT'],
    ['is a directory', () => directory, 'EISDIR'],
    ['is empty', () => file('empty', ''), '0 lines, none of them usable'],
    ['has other lines', () => file('other', '[]\n42\n'), '2 lines, none of them usable'],
  ])('refuses a file that %s', async (_, path, reason) => {
    const { exitCode, out, err } = await evaluate(file('good', lines.join('\n')), path());
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain('--test: got ');
    expect(err).toContain(reason);
  });
});
