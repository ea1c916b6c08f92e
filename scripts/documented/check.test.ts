import { describe, expect, it } from 'vitest';
import { blocksOf, isShell } from './blocks.ts';
import { inlineProblem, problemOf } from './check.ts';

const scripts = { start: 'x', bench: 'x' };

describe('a documented command', () => {
  it.each([
    'uellm drain HOST --watch --deadline 10m',
    'npx --no-install uellm get hosts -o yaml',
    'UELLM_BIND=0.0.0.0 uellm api',
    'uellm rollout rollback NAME --to 3',
    'uellm --help',
    'uellm profiler',
    'npm run bench -- --quick',
    'npm start',
    'curl -N whatever',
  ])('%s is there', (line) => expect(problemOf(line.split(' '), scripts)).toBeUndefined());

  it.each([
    ['uellm drian h1', /unknown command 'drian'/],
    ['uellm drain', /missing required argument/],
    ['uellm drain h1 --wacth', /unknown option '--wacth'/],
    ['uellm rollout undo x', /unknown command 'undo'/],
    ['uellm get hosts -o xml', /Allowed choices/],
    ['npx uellm logs engine x', /Allowed choices/],
    ['npm run bnech', /no script 'bnech'/],
    ['npm test', /no script 'test'/],
    ['npm frob', /npm frob/],
  ])('%s is not', (line, problem) => expect(problemOf(line.split(' '), scripts)).toMatch(problem));
});

describe('a command within a sentence', () => {
  it.each([
    'uellm drain HOST',
    'uellm rollout pause|resume NAME',
    'uellm get plans ID -o yaml',
    'uellm delete key 3',
    'uellm completion bash|zsh',
  ])('%s is there', (text) => expect(inlineProblem(text)).toBeUndefined());
  it.each([
    ['uellm drian HOST', "there is no command 'drian'"],
    ['uellm drain HOST [--soon]', 'drain has no option --soon'],
    ['uellm rollout undo NAME', "there is no command 'undo'"],
  ])('%s is not', (text, problem) => expect(inlineProblem(text)).toBe(problem));
});

it('finds blocks with what is said right above them', () => {
  const page = [
    'text',
    '<!-- not run: needs a GPU -->',
    '```sh',
    'uellm host --name a',
    '```',
    '<!-- run by: a.test.ts b/c.test.ts (most of it) -->',
    '```console',
    '$ uellm top',
    'what it prints',
    '```',
    '<!-- file: f.yaml -->',
    '  ```yaml',
    '  kind: Host',
    '  ```',
    '<!-- not run: too far above -->',
    '',
    '```sh',
    '```',
  ].join('\n');
  expect(blocksOf('p.md', page)).toMatchObject([
    { at: 'p.md:3', text: 'uellm host --name a', notRun: 'needs a GPU', runBy: [] },
    { at: 'p.md:7', text: 'uellm top', notRun: undefined, runBy: ['a.test.ts', 'b/c.test.ts'] },
    { at: 'p.md:12', text: 'kind: Host', file: 'f.yaml' },
    { at: 'p.md:17', text: '', notRun: undefined, runBy: [] },
  ]);
  expect(blocksOf('p.md', page).map(isShell)).toEqual([true, true, false, true]);
  expect(() => blocksOf('p.md', '```sh\nx')).toThrow('p.md:1: a block that never ends');
});
