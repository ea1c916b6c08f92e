/** What the documentation tells people to type is there, and works: commands are parsed by the real tree, and run where they need nothing else. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseDocuments } from '../cli/documents.ts';
import { runCli } from '../test/support/cli.ts';
import { blocksOf, isShell } from './documented/blocks.ts';
import { bare, inlineProblem, problemOf } from './documented/check.ts';
import { commandsOf } from './documented/shell.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const markdown = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const pages = ['README.md', ...markdown('docs'), ...markdown('docs/decisions')];
const blocks = pages.flatMap((page) => blocksOf(page, read(page)));
const shells = blocks.filter(isShell);

describe.each(shells.map((block) => [block.at, block] as const))('%s', (_, block) => {
  it('has commands that there are', () => {
    for (const words of commandsOf(block.text)) expect(problemOf(words, scripts), words.join(' ')).toBeUndefined();
  });
  if (block.notRun !== undefined) return;
  if (block.runBy.length > 0) {
    it('is run by tests that know its commands', () => {
      for (const file of block.runBy) expect(existsSync(join(root, file)), file).toBe(true);
      const tests = block.runBy.map(read).join('\n');
      for (const [program, command] of commandsOf(block.text).map(bare))
        if (program === 'uellm') expect(new RegExp(`\\b${command}\\b`).test(tests), `one of them runs 'uellm ${command}'`).toBe(true);
    });
    return;
  }
  it('runs', { timeout: 60_000 }, async () => {
    for (const words of commandsOf(block.text).map(bare)) {
      expect(words[0], 'a block that is run has commands of uellm only; others say `not run: WHY` or `run by: TEST`').toBe('uellm');
      const { exitCode, err } = await runCli(words.slice(1).map(inScratch));
      expect([words.join(' '), exitCode, err.match(/^error: .*/m)]).toEqual([words.join(' '), 0, null]);
    }
  });
});

describe('what is said within sentences', () => {
  it.each(pages)('%s names commands and options that there are', (page) => {
    const prose = read(page).replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
    const said = [...prose.matchAll(/`(?:npx )?(uellm [^`]+|npm [^`]+)`/g)].map(([, text]) => text!);
    const problems = said.map((text) => [text, text.startsWith('uellm ') ? inlineProblem(text) : problemOf(text.split(/\s+/), scripts)]);
    expect(problems.filter(([, problem]) => problem !== undefined)).toEqual([]);
  });
});

describe('objects', () => {
  const declared = blocks.filter(
    ({ language, text }) => language === 'yaml' && /^kind: (?:Host|Model|SloPolicy|Tenant|Deployment)$/m.test(text) && /^kind:/.test(text),
  );
  it.each(declared.map(({ at, text }) => [at, text] as const))('%s is a file that apply takes', (at, text) => {
    expect(parseDocuments(text, at).length).toBe(parseAllDocuments(text).length);
  });
});

it('links lead somewhere', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/(?<!`)\]\(([^)#\s]+)?(?:#([^)\s]*))?\)/g)].flatMap(([link, file, anchor]) => {
      if (file?.includes('://')) return [];
      const target = file === undefined ? page : join(page, '..', file);
      if (!existsSync(join(root, target))) return [`${page}: ${link}`];
      return anchor && target.endsWith('.md') && !anchorsOf(read(target)).includes(anchor) ? [`${page}: ${link}`] : [];
    }),
  );
  expect(broken).toEqual([]);
});

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  const headings = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'uellm-documented-'));
afterAll(() => rmSync(scratch, { recursive: true }));
mkdirSync(scratch, { recursive: true });
for (const { file, text } of blocks) if (file !== undefined) writeFileSync(join(scratch, file), text);
// Nobody wants to read a trace.
const rows = Array.from({ length: 60 }, (_, i) => `2023-11-16 18:15:${String(i).padStart(2, '0')}.0000000,${300 + 10 * i},${50 + i}`);
writeFileSync(join(scratch, 'azure.csv'), ['TIMESTAMP,ContextTokens,GeneratedTokens', ...rows].join('\n'));

/** Files that commands name lie in a folder of their own. */
function inScratch(word: string): string {
  return /^[\w.-]+\.(yaml|csv|json|jsonl|html|bash)$/.test(word) ? join(scratch, basename(word)) : word;
}
