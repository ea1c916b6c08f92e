import { describe, expect, it } from 'vitest';
import type { Cost, DeploymentCostItem, SloPriceItem } from '../api/schema/index.ts';
import { runCli } from '../test/support/cli.ts';
import { costText, usd } from './cost-text.ts';

const chat: DeploymentCostItem = {
  ...{ deployment: 'chat', simulated: true, replicas: 2, accelerators: [{ kind: 'L40S', count: 2 }], usdPerHour: 3.1, unpriced: [] },
  ...{ observedSeconds: 3600, requestsPerSecond: 4.25, answeredPerSecond: 4.25, capacityRequestsPerSecond: 5, utilisation: 0.85 },
  ...{ usdPerThousandRequests: 0.2026, usdPerMillionTokens: 0.033, usdPerMillionOutputTokens: 1.9 },
};
const targets = { ttftMs: 500, tpotMs: 50, attainment: 0.99 };
const priced: SloPriceItem = {
  ...{ targets, own: true, usdPerHour: 3.1, usdPerThousandRequests: 0.17, refusal: null },
  replicas: [{ count: 2, acceleratorKind: 'L40S', tensorParallel: 1, usdPerHour: 3.1 }],
  presentFleet: { holds: true, usdPerHour: 3.1, refusal: null },
};
const slo = { kind: 'refused' as const, on: 'slo' as const, subject: 'chat', message: 'no shape', nearest: 'fits at TPOT 16 ms' };
const short = {
  kind: 'waiting' as const,
  on: 'accelerators' as const,
  subject: 'chat',
  message: 'full',
  nearest: 'fits with 2 more H100-SXM',
};
const money = { accelerators: 2, usdPerHour: 3.1, pricedUsdPerHour: 3.1 };
const cost: Cost = {
  windowSeconds: 3600,
  deployments: [chat],
  policies: [
    {
      ...{ policy: 'interactive', deployment: 'chat', requests: 15300, share: 0.75, usdPerHour: 2.325, usdPerThousandRequests: 0.15 },
      ...{ attainment: 0.98, targetAttainment: 0.99, value: { usdPerRequest: 0.002, usdPerViolation: 0.004, usdPerHour: 29.4 } },
    },
  ],
  idle: [{ kind: 'H100-SXM', count: 1, hosts: 1, usdPerHour: 2.95 }],
  totals: {
    ...{ held: money, idle: { accelerators: 1, usdPerHour: 2.95, pricedUsdPerHour: 2.95 }, requestsPerSecond: 4.25 },
    ...{ usdPerThousandRequests: 0.2026, usdPerMillionTokens: 0.033, usdPerMillionOutputTokens: 1.9 },
  },
  sloPrices: [
    {
      deployment: 'chat',
      demand: { requestsPerSecond: 5.1, inputTokens: 1000, outputTokens: 100 },
      levels: [
        {
          ...{
            targets: { ...targets, tpotMs: 10 },
            own: false,
            usdPerHour: null,
            usdPerThousandRequests: null,
            replicas: [],
            refusal: slo,
          },
          presentFleet: { holds: false, usdPerHour: null, refusal: slo },
        },
        {
          ...{ ...priced, targets: { ...targets, tpotMs: 30 }, own: false, usdPerHour: 5.9 },
          replicas: [{ count: 2, acceleratorKind: 'H100-SXM', tensorParallel: 1, usdPerHour: 5.9 }],
          presentFleet: { holds: false, usdPerHour: null, refusal: short },
        },
        priced,
        { ...priced, targets: { ...targets, tpotMs: 100 }, own: false, presentFleet: { holds: true, usdPerHour: 4, refusal: null } },
      ],
    },
  ],
  refusals: [],
};
const unpriced = {
  ...{ kind: 'refused' as const, on: 'price' as const, subject: 'T4' },
  ...{ message: '2 T4 of host h2 have no price', nearest: 'give usdPerHour for T4 on host h2' },
};
const lines = (of: Cost, one?: string) => costText(of, { columns: Number.POSITIVE_INFINITY, colour: false }, { one }).split('\n');

describe('the cost as text', () => {
  it('is three tables and what idles', () => {
    expect(lines(cost)).toEqual([
      'Money now, over the requests of the last 60 minutes',
      'DEPLOYMENT        REPLICAS  ACCELERATORS  USD/H  REQ/S  USED  USD/1K REQ  USD/1M TOKENS  USD/1M OUTPUT',
      'chat (simulated)  2         2 L40S        3.10   4.3    85 %  0.20        0.033          1.90',
      '',
      'By SLO policy, by time on engines',
      'POLICY       DEPLOYMENT  REQUESTS  SHARE  USD/H  USD/1K REQ  ATTAINED  TARGET  WORTH USD/H',
      'interactive  chat        15300     75 %   2.33   0.15        98 %      99 %    29.40',
      '',
      'What an SLO costs: the least money that serves the demand planned for',
      'DEPLOYMENT  REQ/S  TPOT         USD/H  USD/1K REQ  REPLICAS            PRESENT FLEET',
      'chat        5.1    10 ms        -      -           fits at TPOT 16 ms  -',
      '                   30 ms        5.90   0.17        2 × 1 H100-SXM      no: fits with 2 more H100-SXM',
      '                   50 ms (now)  3.10   0.17        2 × 1 L40S          holds it',
      '                   100 ms       3.10   0.17        2 × 1 L40S          holds it for 4.00 USD/h',
      '',
      '2 accelerators held: 3.10 USD/h',
      '1 accelerator idle (1 H100-SXM): 2.95 USD/h',
      '',
    ]);
  });

  it('says what has no price, and of one deployment nothing of the fleet', () => {
    const partly = { ...money, usdPerHour: null };
    const unknown = { ...chat, deployment: 'code', usdPerHour: null, unpriced: ['T4'], usdPerThousandRequests: null };
    const text = lines({ ...cost, deployments: [chat, unknown], totals: { ...cost.totals, held: partly } }).join('\n');
    expect(text).toMatch(/^code \(simulated\) .* unknown: T4 .* 85 % +- /m);
    expect(text).toContain('2 accelerators held: 3.10 USD/h and what has no price');
    expect(lines(cost, 'chat').join('\n')).not.toContain('held');
    expect(lines({ ...cost, deployments: [] }, 'chat')[0]).toBe('chat has no replica, and has never served');
  });

  it.each([
    [null, '-'],
    [0, '0.00'],
    [0.00123, '0.0012'],
    [0.5, '0.50'],
    [1234.5, '1234.50'],
  ])('writes %j as %s', (amount, text) => expect(usd(amount)).toBe(text));
});

describe('uellm cost', () => {
  const run = (args: string[], answer: Cost = cost) => {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(decodeURIComponent(url));
      return Response.json(answer);
    };
    return runCli(['cost', ...args], { fetch }).then((ran) => ({ ...ran, asked }));
  };

  it('asks for a deployment and for levels', async () => {
    expect((await run([])).asked).toEqual(['http://127.0.0.1:8080/api/v1/cost?tpotMs=30,50,100']);
    expect((await run(['chat', '--tpot', '20,37.5'])).asked[0]).toMatch(/deployment=chat&tpotMs=20,37.5$/);
    expect(await run(['--tpot', 'fast'])).toMatchObject({ exitCode: 2, asked: [], err: expect.stringContaining('Numbers of ms') });
  });

  it('gives the answer as JSON', async () => {
    const { out, exitCode } = await run(['--json']);
    expect([JSON.parse(out), exitCode]).toEqual([cost, 0]);
  });

  it('names what has no price, and fails only where nothing has any', async () => {
    expect(await run([], { ...cost, refusals: [unpriced] })).toMatchObject({
      exitCode: 0,
      err: 'note: 2 T4 of host h2 have no price; give usdPerHour for T4 on host h2\n',
    });
    const none = { ...cost, deployments: [{ ...chat, usdPerHour: null, unpriced: ['T4'] }], sloPrices: [], refusals: [unpriced] };
    expect(await run([], none)).toMatchObject({ exitCode: 1, out: expect.stringContaining('unknown: T4') });
    expect(await run([], { ...none, deployments: [] })).toMatchObject({ exitCode: 0 });
  });
});
