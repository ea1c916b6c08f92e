import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { type CliOptions, runCli } from '../../test/support/cli.ts';
import { addClientCommands } from '../program.ts';
import { NAMED } from './names.ts';
import { SCRIPTS, SHELLS } from './shells.ts';

const complete = async (words: string[], options?: CliOptions) => {
  const { out, err, exitCode } = await runCli(['complete', '--', ...words], options);
  expect([err, exitCode]).toEqual(['', 0]);
  return out.split('\n').filter(Boolean);
};
const asked: string[] = [];
const api: CliOptions = {
  fetch: async (url) => {
    asked.push(new URL(url).pathname);
    return Response.json({ items: url.includes('/replicas') ? [{ id: 'chat-1' }] : [{ name: 'h1' }, { name: 'h2' }, { name: 'other' }] });
  },
};

describe('completion', () => {
  it.each([
    [['roll'], ['rollout']],
    [
      ['rollout', 'a'],
      ['approve', 'abort'],
    ],
    [
      ['rollout', 'rollback', 'chat', '--'],
      ['--output', '--json', '--watch', '--to', '--help'],
    ],
    [
      ['get', 'hosts', '-o', ''],
      ['table', 'json', 'yaml'],
    ],
    [['get', 's'], ['slo-policy']],
    [['delete', 'obs'], ['observations']],
    [
      ['logs', ''],
      ['host', 'replica'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['apply', '-f', ''], []],
    [['nonsense', 'here', ''], []],
  ])('of %j', async (words, expected) => expect(await complete(words)).toEqual(expected));

  it('never offers what is for the scripts alone', async () => {
    const all = await complete(['']);
    expect(all).toContain('apply');
    expect(all).not.toContain('complete');
  });

  it('offers what there is, by name', async () => {
    expect(await complete(['drain', '--watch', 'h'], api)).toEqual(['h1', 'h2']);
    expect(await complete(['logs', 'replica', ''], api)).toEqual(['chat-1']);
    expect(await complete(['delete', 'policy', 'o'], api)).toEqual(['other']);
    expect(asked).toEqual(['/api/v1/hosts', '/api/v1/replicas', '/api/v1/slo-policies']);
  });

  it('offers nothing where nobody answers', async () => expect(await complete(['drain', ''])).toEqual([]));

  it('knows of no argument that no command has', () => {
    const program = new Command('uellm');
    addClientCommands(program);
    for (const [path, named] of Object.entries(NAMED)) {
      const command = path.split(' ').reduce<Command | undefined>((at, name) => at?.commands.find((c) => c.name() === name), program);
      expect([path, command?.registeredArguments.length]).toEqual([path, named.length]);
    }
  });

  it('is a script for each shell; bash takes it, and passes on the words', async () => {
    for (const shell of SHELLS) expect((await runCli(['completion', shell])).out).toBe(SCRIPTS[shell]);
    const typed = `uellm() { printf '<%s>' "$@" >&2; echo h1; echo h2; }\nCOMP_WORDS=(uellm drain --watch "") COMP_CWORD=3\n`;
    const script = `${SCRIPTS.bash.replaceAll('2>/dev/null', '')}${typed}_uellm\nprintf '[%s]' "\${COMPREPLY[@]}"`;
    expect(execFileSync('bash', ['-c', `${script} 2>&1`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })).toBe('[h1][h2]');
    expect(execFileSync('bash', ['-c', `exec 2>&1\n${script}`], { encoding: 'utf8' })).toContain('<complete><--><drain><--watch><>');
  });
});
