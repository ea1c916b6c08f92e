import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sloPolicySchema } from '../../domain/slo-policy.ts';
import type { HeldTime, HostTime, ServedPart, ValueReportInput } from './types.ts';
import { valueReport } from './value-report.ts';

const HOUR = 3600;

const served = (fields: Partial<ServedPart> = {}): ServedPart => ({
  ...{ deployment: 'chat', policy: 'gold', tenant: 'acme', requests: 1000, answered: 900, judged: 950, attained: 850 },
  ...{ inputTokens: 900_000, outputTokens: 100_000, engineMs: 3_000_000, ...fields },
});
const held = (fields: Partial<HeldTime> = {}): HeldTime => ({
  ...{
    deployment: 'chat',
    host: 'h1',
    acceleratorKind: 'L40S',
    simulated: false,
    acceleratorSeconds: 20 * HOUR,
    seconds: 10 * HOUR,
    declaredAtMs: 0,
    ...fields,
  },
});
const host = (fields: Partial<HostTime> = {}): HostTime => ({
  ...{
    host: 'h1',
    declaredAtMs: 0,
    external: false,
    seconds: 10 * HOUR,
    accelerators: [{ kind: 'L40S', count: 4 }],
    fixedUsdPerMonth: 0,
    catalog: null,
  },
  ...fields,
});
const gold = sloPolicySchema.parse({
  name: 'gold',
  targets: { ttftMs: 500, attainment: 0.95 },
  value: { usdPerRequest: 0.1, usdPerViolation: 0.2 },
});
const reportOf = (fields: Partial<ValueReportInput> = {}) =>
  valueReport({
    served: [served()],
    held: [held()],
    hosts: [host()],
    catalog: { L40S: 1.5 },
    policies: [gold],
    ...fields,
  });

describe('a value report', () => {
  it('agrees with figures by hand', () => {
    // Ten hours: two of four L40S held, 1.50 USD/h each; 730 USD a month for the host, so 0.25 USD/h for each of its four.
    const report = reportOf({
      hosts: [host({ fixedUsdPerMonth: 730 })],
      served: [served(), served({ tenant: 'bolt', requests: 500, answered: 500, judged: 500, attained: 500, engineMs: 1_000_000 })],
    });
    const [chat] = report.deployments;
    expect(chat).toMatchObject({ requests: 1500, answered: 1400, judged: 1450, attained: 1350, acceleratorHours: 20, hours: 10 });
    // 20 h x 1.50, 20 h x 0.25; 1,400 answers x 0.10, 100 violations x 0.20.
    expect(chat).toMatchObject({ acceleratorUsd: 30, fixedUsd: 5, spentUsd: 35, earnedUsd: 140, penaltyUsd: 20, netUsd: 85 });
    // 3.50 USD/h, and 120 USD from 1,500 requests: 0.08 USD each.
    expect(chat!.requestsPerHour).toBe(150);
    expect(chat!.breakEven.requestsPerHour).toBeCloseTo(3.5 / 0.08, 9);
    // Three quarters of the time on engines.
    expect(report.tenants.map((t) => [t.tenant, t.spentUsd])).toEqual([
      ['acme', 26.25],
      ['bolt', 8.75],
    ]);
    expect(report.policies).toMatchObject([{ policy: 'gold', targetAttainment: 0.95, spentUsd: 35 }]);
    expect(report.idle).toEqual([
      { host: 'h1', acceleratorKind: 'L40S', acceleratorHours: 20, acceleratorUsd: 30, fixedUsd: 5, spentUsd: 35 },
    ]);
    expect(report.totals).toMatchObject({ served: { spentUsd: 35 }, idleUsd: 35, spentUsd: 70, netUsd: 50 });
    expect(report.notes).toEqual([expect.stringContaining('by their time on engines')]);
  });

  it('writes off what was bought over its months, and says when it is paid', () => {
    const accelerators = [{ kind: 'L40S', count: 4, purchase: { usd: 7300, months: 10 } }];
    const report = reportOf({ hosts: [host({ accelerators })], catalog: {} });
    const { breakEven, spentUsd } = report.deployments[0]!;
    expect(spentUsd).toBe(20);
    // Two of them; 90 - 20 USD in ten hours, and nothing is paid again for what was bought: 7 USD/h, 5,110 a month.
    expect(breakEven.purchaseUsd).toBe(14_600);
    expect(breakEven.purchaseMonths).toBeCloseTo(14_600 / (7 * 730), 9);
    expect(report.prices).toEqual([
      { acceleratorKind: 'L40S', usdPerHour: 1, source: 'bought for 7300 USD, over 10 months', hosts: ['h1'] },
    ]);
  });

  it('counts each hour at what held then', () => {
    // Four hours at the catalog's 1.50 USD, then six at 3 USD with 730 USD a month beside; half of the host held throughout.
    const dearer = host({
      ...{ declaredAtMs: 4 * HOUR * 1000, seconds: 6 * HOUR, fixedUsdPerMonth: 730 },
      accelerators: [{ kind: 'L40S', count: 4, usdPerHour: 3 }],
    });
    const report = reportOf({
      hosts: [host({ seconds: 4 * HOUR }), dearer],
      held: [held({ acceleratorSeconds: 8 * HOUR }), held({ acceleratorSeconds: 12 * HOUR, declaredAtMs: dearer.declaredAtMs })],
    });
    expect(report.deployments).toMatchObject([{ acceleratorUsd: 8 * 1.5 + 12 * 3, fixedUsd: 12 * 0.25, hours: 10, acceleratorHours: 20 }]);
    expect(report.idle).toEqual([
      { host: 'h1', acceleratorKind: 'L40S', acceleratorHours: 20, acceleratorUsd: 48, fixedUsd: 3, spentUsd: 51 },
    ]);
    expect(report.prices).toMatchObject([
      { usdPerHour: 1.5, hosts: ['h1'] },
      { usdPerHour: 3, source: 'usdPerHour of the host', hosts: ['h1'] },
    ]);
    expect(report.notes).toEqual(['prices of h1 changed within the period: each hour is counted at what held then']);
  });

  it('counts by the catalog as it was, where the host declares no price', () => {
    const report = reportOf({ hosts: [host({ catalog: { L40S: 2 } })], catalog: { L40S: 9 } });
    expect(report.totals.spentUsd).toBe(40 * 2);
    expect(report.prices).toMatchObject([{ usdPerHour: 2, source: 'the catalog, as it was then' }]);
    expect(reportOf({ hosts: [host({ catalog: {} })] }).totals.spentUsd).toBeNull();
  });

  it('never counts a missing price as nothing', () => {
    const report = reportOf({
      served: [served(), served({ deployment: 'code' })],
      held: [held(), held({ deployment: 'code', host: 'h2', acceleratorKind: 'T4' })],
      hosts: [host(), host({ host: 'h2', accelerators: [{ kind: 'T4', count: 2 }] })],
    });
    expect(report.deployments).toMatchObject([
      { deployment: 'chat', spentUsd: 30, unpriced: [], breakEven: { none: null } },
      { deployment: 'code', acceleratorUsd: null, spentUsd: null, netUsd: null, unpriced: ['T4'], breakEven: { none: 'price' } },
    ]);
    expect(report.totals).toMatchObject({ served: { spentUsd: null }, spentUsd: null, netUsd: null });
    expect(report.refusals).toMatchObject([{ on: 'price', subject: 'T4' }]);
    expect(report.prices).toMatchObject([
      { acceleratorKind: 'L40S', source: expect.stringContaining('SkyPilot') },
      { usdPerHour: null, source: 'none' },
    ]);
  });

  it.each([
    [{ policies: [] }, 'value', 'no value'],
    [{ policies: [{ ...gold, value: { usdPerRequest: 0, usdPerViolation: 1 } }] }, 'penalties', ''],
    [{ served: [] }, 'requests', ''],
  ] as const)('says why there is no break-even: %j', (fields, none, note) => {
    const report = reportOf(fields as Partial<ValueReportInput>);
    expect(report.deployments[0]!.breakEven).toMatchObject({ requestsPerHour: null, none });
    expect(report.notes.join(' ')).toContain(note);
  });

  it('puts money that no request caused on a line of its own', () => {
    const { lines, policies } = reportOf({ served: [served({ engineMs: 0, answered: 0 })] });
    expect(lines).toMatchObject([
      { policy: 'gold', spentUsd: 0 },
      { policy: null, tenant: null, requests: 0, spentUsd: 30, netUsd: null },
    ]);
    expect(policies.map((p) => p.policy)).toEqual(['gold', null]);
  });

  it('says so where no record of the accelerators is left, or of their host', () => {
    expect(reportOf({ held: [] })).toMatchObject({
      deployments: [{ spentUsd: null, hours: null, breakEven: { none: 'price' } }],
      notes: [expect.stringContaining('its money is unknown')],
    });
    expect(reportOf({ hosts: [] }).notes).toEqual([expect.stringContaining('no record says what host h1 cost')]);
  });

  it('loses nothing between its parts and the whole', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const count = fc.nat(1000);
    const part = fc.record({
      ...{ deployment: name, policy: name, tenant: name, requests: count, answered: count, judged: count, attained: count },
      ...{ inputTokens: count, outputTokens: count, engineMs: count },
    });
    const time = fc.record({
      ...{ deployment: name, host: name, acceleratorKind: fc.constantFrom('L40S', 'L4'), simulated: fc.boolean() },
      ...{ acceleratorSeconds: fc.integer({ min: 1, max: HOUR }), seconds: fc.constant(HOUR) },
      declaredAtMs: fc.constant(0),
    });
    const known = ['a', 'b', 'c'].map((host) => ({
      ...{ host, declaredAtMs: 0, external: false, seconds: HOUR, fixedUsdPerMonth: 365, catalog: null },
      accelerators: ['L40S', 'L4'].map((kind) => ({ kind, count: 64 })),
    }));
    fc.assert(
      fc.property(fc.array(part), fc.array(time, { maxLength: 30 }), (served, held) => {
        const report = reportOf({ served, held, hosts: known, catalog: { L40S: 1, L4: 0.5 }, policies: [{ ...gold, name: 'a' }] });
        const { totals, deployments, policies, tenants, lines, idle } = report;
        const hadRecords = deployments.every((d) => d.spentUsd !== null);
        for (const parts of [deployments, policies, tenants, lines]) {
          const sum = (of: (p: (typeof lines)[number]) => number) => (parts as typeof lines).reduce((total, p) => total + of(p), 0);
          expect(sum((p) => p.requests)).toBe(served.reduce((total, s) => total + s.requests, 0));
          expect(sum((p) => p.earnedUsd ?? 0)).toBeCloseTo(totals.served.earnedUsd ?? 0, 6);
          if (hadRecords) expect(sum((p) => p.spentUsd!)).toBeCloseTo(totals.served.spentUsd!, 6);
        }
        // Held and idle are all that there is: three hosts for an hour.
        const whole = 3 * (64 * 1 + 64 * 0.5 + 0.5);
        if (hadRecords) expect(totals.spentUsd).toBeCloseTo(whole, 6);
        expect(idle.every((i) => i.acceleratorHours > 0)).toBe(true);
      }),
    );
  });
});
