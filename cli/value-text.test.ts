import { describe, expect, it } from 'vitest';
import type { DeploymentValueItem, ValueFiguresItem, ValueReport } from '../api/schema/index.ts';
import { runCli } from '../test/support/cli.ts';
import { valueText } from './value-text.ts';

const figures: ValueFiguresItem = {
  ...{ requests: 1500, answered: 1400, judged: 1450, attained: 1350, inputTokens: 9e5, outputTokens: 1e5, attainment: 0.931 },
  ...{ acceleratorUsd: 30, fixedUsd: 5, spentUsd: 35, usdPerThousandRequests: 25, usdPerMillionTokens: 35 },
  ...{ earnedUsd: 140, penaltyUsd: 20, unvaluedRequests: 0, netUsd: 85 },
};
const chat: DeploymentValueItem = {
  ...{ deployment: 'chat', simulated: false, hours: 10, acceleratorHours: 20, unpriced: [], requestsPerHour: 150, ...figures },
  breakEven: { requestsPerHour: 43.75, none: null, purchaseUsd: 0, purchaseMonths: null },
};
const report: ValueReport = {
  ...{
    from: '2026-01-30T00:00:00.000Z',
    to: '2026-01-31T00:00:00.000Z',
    deployments: [chat],
    lines: [],
    idle: [],
    prices: [],
    refusals: [],
  },
  policies: [{ policy: 'gold', targetAttainment: 0.95, ...figures }],
  tenants: [
    { tenant: 'acme', ...figures },
    { tenant: null, ...figures, requests: 0, attainment: null, earnedUsd: null, penaltyUsd: null, netUsd: null },
  ],
  totals: { served: figures, idleUsd: 35, spentUsd: 70, netUsd: 50 },
  notes: ['replicas are shared'],
};
const textOf = (of: Partial<ValueReport> = {}) => valueText({ ...report, ...of }, { columns: Number.POSITIVE_INFINITY, colour: false });

describe('a value report as text', () => {
  it('is three tables and what all comes to', () => {
    expect(textOf().split('\n')).toEqual([
      'From 2026-01-30T00:00:00.000Z to 2026-01-31T00:00:00.000Z, USD',
      '',
      'Deployments',
      'DEPLOYMENT  REQUESTS  ATTAINED  SPENT USD  USD/1K REQ  USD/1M TOKENS  EARNED  PENALTIES  NET    REQ/H  PAYS AT REQ/H',
      'chat        1500      93.1 %    35.00      25.00       35.00          140.00  20.00      85.00  150.0  43.8',
      '',
      'SLO policies',
      'POLICY  REQUESTS  ATTAINED  SPENT USD  USD/1K REQ  USD/1M TOKENS  EARNED  PENALTIES  NET    TARGET',
      'gold    1500      93.1 %    35.00      25.00       35.00          140.00  20.00      85.00  95 %',
      '',
      'Tenants',
      'TENANT        REQUESTS  ATTAINED  SPENT USD  USD/1K REQ  USD/1M TOKENS  EARNED  PENALTIES  NET',
      'acme          1500      93.1 %    35.00      25.00       35.00          140.00  20.00      85.00',
      '(no request)  0         -         35.00      25.00       35.00          -       -          -',
      '',
      'spent 70.00: 35.00 on deployments, 35.00 on what idled',
      'earned 140.00 less 20.00 of penalties: net 50.00',
      '',
    ]);
  });

  it('never writes 0 for what is not known', () => {
    const unknown = { ...figures, spentUsd: null, netUsd: null, earnedUsd: null, penaltyUsd: null };
    const text = textOf({
      deployments: [{ ...chat, ...unknown, breakEven: { ...chat.breakEven, requestsPerHour: null, none: 'price' } }],
      totals: { served: unknown, idleUsd: null, spentUsd: null, netUsd: null },
    });
    expect(text).toMatch(/^chat .* unknown .* no price$/m);
    expect(text).toContain('spent unknown: unknown on deployments, unknown on what idled\nearned: no policy declares a value');
    expect(textOf({ deployments: [] })).toMatch(/^nothing served from/);
  });
});

describe('uellm report value', () => {
  const run = async (args: string[], answer = report) => {
    const asked: URL[] = [];
    const fetch = async (url: string) => {
      asked.push(new URL(url));
      return url.includes('format=csv') ? new Response('from,to\r\n') : Response.json(answer);
    };
    return { ...(await runCli(['report', 'value', ...args], { fetch })), asked };
  };

  it('asks for the period, in times, days or so long ago', async () => {
    const { asked, out, err, exitCode } = await run(['--from', '2026-01-01', '--to', '2026-01-31T12:00:00+02:00']);
    expect([asked[0]!.pathname, Object.fromEntries(asked[0]!.searchParams)]).toEqual([
      '/api/v1/reports/value',
      { from: '2026-01-01T00:00:00.000Z', to: '2026-01-31T10:00:00.000Z' },
    ]);
    expect([out, err, exitCode]).toEqual([expect.stringContaining('net 50.00'), 'note: replicas are shared\n', 0]);
    const from = (await run(['--from', '7d'])).asked[0]!.searchParams.get('from')!;
    expect(Math.abs(Date.now() - Date.parse(from) - 7 * 86_400_000)).toBeLessThan(60_000);
    expect(await run(['--from', 'monday'])).toMatchObject({ exitCode: 2, asked: [], err: expect.stringContaining('It is a time such as') });
  });

  it('gives it as JSON, and as the CSV of the API', async () => {
    expect(JSON.parse((await run(['--format', 'json'])).out)).toEqual(report);
    for (const args of [
      ['--format', 'csv', '-o', 'json'],
      ['-o', 'table', '--format', 'csv'],
      ['--json', '--format', 'csv'],
      ['--format', 'yaml', '--json'],
    ]) {
      const { exitCode, err, asked } = await run(args);
      expect([exitCode, err, asked]).toEqual([2, expect.stringMatching(/'--format \w+' and '(-o|--json).*two forms of one result/), []]);
    }
    expect((await run(['--format', 'json', '-o', 'json'])).exitCode).toBe(0);
    const { out, asked } = await run(['--format', 'csv', '--by', 'tenant']);
    expect([out, asked[0]!.searchParams.get('by')]).toEqual(['from,to\r\n', 'tenant']);
  });

  it('fails where nothing has any price', async () => {
    expect(await run([], { ...report, deployments: [{ ...chat, spentUsd: null }] })).toMatchObject({ exitCode: 1 });
  });
});
