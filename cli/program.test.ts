import { describe, expect, it } from 'vitest';
import { runCli } from '../test/support/cli.ts';

describe('usage', () => {
  it.each([
    [['get'], /missing required argument 'kind'/],
    [
      ['get', 'gpus'],
      /KIND is one of host, model, slo-policy, tenant, deployment, replica, plan, proposal, rollout, observation, correction, audit, key/,
    ],
    [['delete', 'replica', 'x'], /KIND is one of host, model, slo-policy, tenant, deployment\./],
    [['delete', 'host'], /missing required argument 'name'/],
    [['get', 'hosts', '-o', 'xml'], /Allowed choices are table, json, yaml/],
    [['get', 'hosts', '--json', '-o', 'yaml'], /options '--json' and '-o yaml' ask for two forms of one result/],
    [['get', 'hosts', '-o', 'table', '--json'], /options '--json' and '-o table'/],
    [['logs', 'engine', 'x'], /Allowed choices are host, replica/],
    [['logs', 'host', 'x', '--lines', '0'], /A whole number from 1/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [['get', 'hosts', '--limit', '0'], /A whole number from 1 to 1000/],
    [['apply'], /required option '-f, --file <file>' not specified/],
    [['rollout', 'undo', 'x'], /unknown command 'undo'/],
    [['rollout', 'rollback', 'x', '--to', 'last'], /A revision is a whole number from 1/],
    [['delete', 'observations'], /required option '--tenant <name>' not specified/],
    [['keys', 'create'], /required option '--role <role>' not specified/],
    [['keys', 'create', '--role', 'owner'], /Allowed choices are viewer, operator, admin/],
    [['delete', 'key', 'ci'], /An id is a whole number from 1/],
    [['get', 'audit', '--where', 'actor'], /It is FIELD=VALUE/],
    [['profiler', 'rollback'], /required option '--to <version>' not specified/],
    [['profiler', 'rollback', '--to', 'first'], /A version is a whole number from 1/],
    [['drain'], /missing required argument 'host'/],
    [['drain', 'h1', '--nonsense'], /unknown option '--nonsense'/],
    [['nonsense'], /unknown command 'nonsense'/],
  ])('%j is bad usage', async (args, message) => {
    const { exitCode, err, out } = await runCli(args);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: /);
  });

  it('is shown on request', async () => {
    const { exitCode, out } = await runCli(['--help']);
    expect(exitCode).toBe(0);
    for (const command of ['apply', 'get', 'delete', 'deploy', 'rollout', 'drain', 'uncordon', 'rebalance', 'top', 'profiler', 'simulate'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(out).toContain('UELLM_API_URL');
  });
});

describe('a command line that is wrong', () => {
  it.each([
    ['keys list', "error: unknown command 'list'", 'allowed is one of create; see uellm keys --help'],
    ['rollout go', "error: unknown command 'go'", /^allowed is one of status, pause, .*; see uellm rollout --help$/],
    ['get', "error: missing required argument 'kind'", 'see uellm get --help'],
    ['delete key', "error: missing required argument 'id'", 'see uellm delete key --help'],
    [
      'keys create --role viewer --expires 9999d',
      "error: option '--expires <duration>' argument '9999d' is invalid. A duration from 60s to 3650d.",
      'see uellm keys create --help',
    ],
    ['frob', "error: unknown command 'frob'", 'see uellm --help'],
  ])('%s: says what is, or where that stands', async (line, error, hint) => {
    const { exitCode, err } = await runCli(line.split(' '));
    const [first, second] = err.trim().split('\n');
    expect([exitCode, first, second]).toEqual([2, error, typeof hint === 'string' ? hint : expect.stringMatching(hint)]);
  });

  it('finds what is about keys in one place', async () => {
    const { out } = await runCli(['keys', '--help']);
    expect(out).toMatch(/^ {2}uellm get keys .*\n {2}uellm delete key /m);
  });
});

describe('an installation that does not answer', () => {
  it('is named, with how to start it', async () => {
    const { exitCode, err, out } = await runCli(['get', 'hosts'], { env: { UELLM_API_URL: 'http://127.0.0.1:1234' } });
    expect([exitCode, out]).toEqual([1, '']);
    expect(err).toMatch(/^error: the admin API at http:\/\/127\.0\.0\.1:1234 is unavailable: connect ECONNREFUSED .*npm start/);
  });
});

describe('apply', () => {
  const apply = (stdin: string) => runCli(['apply', '-f', '-'], { stdin });
  it('sends nothing of a file in which anything is wrong, and names all of it', async () => {
    const { exitCode, err } = await apply(
      'kind: SloPolicy\nname: a\ntargets: { ttftMs: -1 }\n---\nkind: Hosst\n---\nkind: Model\nname: m\nsource: x\n',
    );
    expect(exitCode).toBe(2);
    expect(err.trim().split('\n')).toEqual([
      'error: standard input is not valid',
      "  document 1: SloPolicy 'a': targets.ttftMs: got -1, allowed is a number above 0",
      '  document 2: kind: got "Hosst", allowed is one of Host, Model, SloPolicy, Tenant, Deployment',
      '  document 3: Model \'m\': source: got "x", allowed is hf://OWNER/NAME[@REVISION] or file:///PATH',
    ]);
  });
  it.each([
    ['nothing', '', /got nothing, allowed is documents of kind Host/],
    ['no YAML', 'kind: [', /line 1, column 8/],
    ['a list', '- kind: Host', /document 1: kind: got nothing/],
    [
      'one name twice',
      '{"kind":"Model","name":"m","source":"hf://a/b"}\n---\n{"kind":"Model","name":"m","source":"hf://a/c"}',
      /Model 'm': got the same name twice/,
    ],
  ])('refuses %s', async (_, text, message) => {
    const { exitCode, err } = await apply(text);
    expect([exitCode, err]).toEqual([2, expect.stringMatching(message)]);
  });
  it('names a file that cannot be read', async () => {
    expect(await runCli(['apply', '-f', '/nothing/here.yaml'])).toMatchObject({
      exitCode: 2,
      err: expect.stringMatching(/--file: got "\/nothing\/here.yaml".*ENOENT/),
    });
  });
});
