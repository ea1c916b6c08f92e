import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { WhatIf } from '../api/schema/index.ts';
import { runCli } from '../test/support/cli.ts';
import { whatIfText } from './what-if-text.ts';

const q = (p50: number) => ({ p50, p90: 2 * p50, p99: 4 * p50 });
const fared = { requests: 1000, attainment: 0.95, ttftMs: q(100), tpotMs: q(20), e2eMs: q(2000), waitMs: q(5), unserved: 0 };
const [was, would] = [
  { replicas: 2, usdPerHour: 3.1, usdPerThousandRequests: 0.31 },
  { replicas: 1, usdPerHour: 1.55, usdPerThousandRequests: 0.16 },
];
const worse = { ...fared, attainment: 0.6, ttftMs: q(300), unserved: 7 };
const answer: WhatIf = {
  ...{ windowSeconds: 7200, observed: 20_000, replayed: 1200, counted: 1000, stretches: [] },
  changes: ['SloPolicy chat: ~ targets.tpotMs: 60 -> 10', 'chat: replicas 2 -> 1'],
  deployments: [
    { deployment: 'chat', observed: { ...fared, attainment: 0.97 }, before: { ...fared, ...was }, after: { ...worse, ...would } },
  ],
  policies: [
    {
      policy: 'chat',
      observed: { ...fared, attainment: 0.97 },
      before: { ...fared, targetAttainment: 0.9, worthUsdPerHour: 20 },
      after: { ...worse, targetAttainment: 0.9, worthUsdPerHour: 3 },
    },
    { policy: 'vip', observed: null, before: null, after: { ...fared, requests: 10, targetAttainment: 0.99, worthUsdPerHour: null } },
  ],
  totals: { before: was, after: would },
  scheduler: 'edf',
  notes: ['a sample'],
};
const NOTHING: WhatIf = { ...answer, observed: 0, replayed: 0, counted: 0, deployments: [], policies: [], notes: ['nothing to replay'] };
const style = { columns: Number.POSITIVE_INFINITY, colour: false };

describe('a what-if as text', () => {
  it('is what changes, attainment by policy, each deployment three times, and money', () => {
    expect(whatIfText(answer, style).split('\n')).toEqual([
      'What changes',
      '  SloPolicy chat: ~ targets.tpotMs: 60 -> 10',
      '  chat: replicas 2 -> 1',
      '',
      'By SLO policy, over 20000 requests of the last 2 hours, 1000 of them counted, scheduled by edf',
      'POLICY  REQUESTS  OBSERVED  BEFORE  AFTER  TARGET  WORTH USD/H BEFORE  WORTH AFTER',
      'chat    1000      97 %      95 %    60 %   90 %    20.00               3.00',
      'vip     0 -> 10   -         -       95 %   99 %    -                   -',
      '',
      'DEPLOYMENT            ATTAINED  REPLICAS  USD/H  USD/1K REQ  TTFT p50  p90     p99      TPOT p50  p90    p99    WAIT p99  UNSERVED',
      'chat        observed  97 %                                   100 ms    200 ms  400 ms   20 ms     40 ms  80 ms  20 ms     0',
      '            before    95 %      2         3.10   0.31        100 ms    200 ms  400 ms   20 ms     40 ms  80 ms  20 ms     0',
      '            after     60 %      1         1.55   0.16        300 ms    600 ms  1200 ms  20 ms     40 ms  80 ms  20 ms     7',
      '',
      'money: 3.10 -> 1.55 USD/h, 0.31 -> 0.16 USD per thousand requests',
      'note: a sample',
      '',
    ]);
  });

  it('of nothing is what would have changed, and why there is no more', () => {
    expect(whatIfText({ ...NOTHING, changes: [] }, style)).toBe(
      'What changes\n  nothing: give -f, --price, --add, --remove, --replicas or --mode\n\nnote: nothing to replay\n',
    );
  });
});

const directory = mkdtempSync(join(tmpdir(), 'uellm-what-if-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('uellm what-if', () => {
  const run = async (args: string[], options: { stdin?: string } = {}) => {
    const asked: unknown[] = [];
    const fetch = async (_: string, { body }: RequestInit) => {
      asked.push(JSON.parse(String(body)));
      return Response.json(answer);
    };
    return { ...(await runCli(['what-if', ...args], { fetch, ...options })), asked };
  };

  it('asks for what its flags and files say', async () => {
    const host = join(directory, 'host.yaml');
    writeFileSync(host, 'kind: Host\nname: h9\naccelerators: [{ kind: L40S, count: 2 }]\n');
    const stdin = 'kind: SloPolicy\nname: chat\ntargets: { tpotMs: 10 }\n';
    const flags = [
      '--hours',
      '0.5',
      '--requests',
      '500',
      '--price',
      'L40S=1.2',
      '--price',
      'T4=0.3',
      '--remove',
      'h1',
      '--replicas',
      'chat=3',
    ];
    const { asked, exitCode, out } = await run([...flags, '-f', '-', '--add', host], { stdin });
    expect([exitCode, out]).toEqual([0, expect.stringContaining('By SLO policy')]);
    expect(asked).toMatchObject([
      {
        ...{ windowSeconds: 1800, requests: 500, prices: { L40S: 1.2, T4: 0.3 }, removeHosts: ['h1'], replicas: { chat: 3 } },
        policies: [{ name: 'chat', targets: { tpotMs: 10 } }],
        addHosts: [{ name: 'h9', accelerators: [{ kind: 'L40S', count: 2 }] }],
      },
    ]);
    expect(JSON.parse((await run(['--json'])).out)).toEqual(answer);
  });

  it.each([
    [['--hours', '0'], /A number of hours above 0/],
    [['--hours', '500'], /'--hours <h>' argument '500' is invalid. A number of hours above 0 and of at most 168/],
    [['--requests', 'many'], /A whole number from 1/],
    [['--price', 'L40S'], /It is KIND=USD/],
    [['--replicas', 'chat=-1'], /It is DEPLOYMENT=N/],
    [['-f', '-'], /kind: got "Host", allowed is SloPolicy/],
  ])('%j is bad usage', async (args, message) => {
    const { exitCode, err, asked } = await run(args, { stdin: 'kind: Host\nname: h9\naccelerators: [{ kind: L40S, count: 2 }]\n' });
    expect([exitCode, asked, err]).toEqual([2, [], expect.stringMatching(message)]);
  });
});

describe('apply --dry-run of a policy', () => {
  const stdin = 'kind: SloPolicy\nname: chat\ntargets: { tpotMs: 10 }\n';
  const dryRun = (whatIf: () => Response, args: string[] = []) => {
    const fetch = async (url: string) =>
      url.endsWith('/what-if')
        ? whatIf()
        : Response.json({ status: 404, detail: 'none' }, { status: 404, headers: { 'content-type': 'application/problem+json' } });
    return runCli(['apply', '-f', '-', '--dry-run', ...args], { fetch, stdin });
  };

  it("shows what would change for the last hour's requests", async () => {
    const { out, exitCode } = await dryRun(() => Response.json({ ...answer, windowSeconds: 3600 }));
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^SloPolicy 'chat' would be created\n {2}\+ name/);
    expect(out).toMatch(
      /\n\nBy SLO policy, over 20000 requests of the last 1 hour, .*\nPOLICY .*\nchat .* 60 % .*\nvip .*\nnote: a sample\n$/,
    );
    expect(JSON.parse((await dryRun(() => Response.json(answer), ['--json'])).out)).toMatchObject({ dryRun: true, whatIf: answer });
  });

  it('says so where nothing was observed, and where it cannot be known', async () => {
    expect((await dryRun(() => Response.json(NOTHING))).out).toMatch(/\n\nnote: nothing to replay\n$/);
    const busy = () =>
      Response.json({ status: 503, detail: 'busy' }, { status: 503, headers: { 'content-type': 'application/problem+json' } });
    expect(await dryRun(busy)).toMatchObject({
      exitCode: 0,
      err: expect.stringMatching(/^warning: what would change .* is not known: busy\n$/),
    });
  });
});
