import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKey } from '../../../db/queries/keys.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { audit } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { aReplica } from '../../../test/support/rows.ts';
import type { Cost, ValueReport } from '../../schema/index.ts';
import { valueReportSchema } from '../../schema/value-report.ts';

const HOUR_MS = 3_600_000;
const PATH = '/api/v1/reports/value';
const now = Date.now();
/** Ten hours that ended an hour ago. */
const from = now - 11 * HOUR_MS;
const to = now - HOUR_MS;
const query = `?from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  const accelerators = [
    { kind: 'L40S', count: 2, usdPerHour: 2 },
    { kind: 'T4', count: 1, purchase: { usd: 730, months: 10 } },
  ];
  await api.call('POST', '/api/v1/hosts', { name: 'h1', accelerators, simulated: true, fixedUsdPerMonth: 219 });
  await api.db.update(audit).set({ at: new Date(now - 24 * HOUR_MS) });
  const value = { usdPerRequest: 1, usdPerViolation: 2 };
  await api.call('POST', '/api/v1/slo-policies', { name: 'gold', targets: { tpotMs: 60 }, value });
  // Twenty hours, of which the period sees ten; and five that ended in it.
  await aReplica(api.db, { id: 'r1', host: 'h1', acceleratorKind: 'L40S', createdAt: new Date(now - 20 * HOUR_MS) });
  const gone = { state: 'stopped' as const, endedAt: new Date(from + 5 * HOUR_MS) };
  await aReplica(api.db, {
    id: 'r2',
    host: 'h1',
    acceleratorKind: 'T4',
    accelerators: [2],
    createdAt: new Date(now - 20 * HOUR_MS),
    ...gone,
  });
  const many = (n: number, name: string, fields: object) =>
    Array.from({ length: n }, (_, i) => anObservation(`${name}${i}`, { acceptedAtMs: from + i, queueMs: 100, e2eMs: 1100, ...fields }));
  await insertObservations(api.db, [
    ...many(30, 'a', { policy: 'gold', tenant: 'acme', attained: true }),
    ...many(5, 'b', { policy: 'gold', tenant: 'acme', attained: false }),
    ...many(10, 'c', { policy: 'fallback', tenant: '=bolt', attained: true, e2eMs: 3600 }),
    ...many(2, 'shed', {
      policy: 'gold',
      tenant: 'acme',
      attained: false,
      outcome: 'shed',
      outputTokens: null,
      queueMs: null,
      e2eMs: null,
    }),
    ...many(3, 'early', { acceptedAtMs: from - 1 }),
    ...many(3, 'late', { acceptedAtMs: to }),
  ]);
});
afterAll(() => api.close());

const report = async (text = query) => (await api.call<ValueReport>('GET', `${PATH}${text}`)).body;
const csv = async (text: string, headers: Record<string, string> = {}) => {
  const response = await api.app.request(`${PATH}${text}`, { headers });
  const [header, ...rows] = (await response.text())
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(','));
  return { response, rows: rows.map((row) => Object.fromEntries(header!.map((name, i) => [name, row[i]!]))) };
};

describe('/api/v1/reports/value', () => {
  it('agrees with figures by hand', async () => {
    const body = await report();
    expect(valueReportSchema.parse(body)).toEqual(body);
    const [chat] = body.deployments;
    // 10 h of an L40S at 2 USD, 5 h of a T4 at 730 / (10 x 730) USD; 219 USD a month are 0.3 an hour, 0.1 for each of three accelerators.
    expect(chat).toMatchObject({
      deployment: 'chat',
      simulated: true,
      hours: 10,
      acceleratorHours: 15,
      requests: 47,
      answered: 45,
      judged: 47,
      attained: 40,
    });
    expect(chat!.acceleratorUsd).toBeCloseTo(20.5, 9);
    expect(chat!.fixedUsd).toBeCloseTo(1.5, 9);
    // 35 answers at 1 USD, 7 violations at 2.
    expect(chat).toMatchObject({
      earnedUsd: 35,
      penaltyUsd: 14,
      unvaluedRequests: 10,
      attainment: 40 / 47,
      inputTokens: 22_500,
      outputTokens: 4500,
    });
    expect(chat!.netUsd).toBeCloseTo(35 - 14 - 22, 9);
    expect(chat!.usdPerThousandRequests).toBeCloseTo(22 / 0.045, 6);
    expect(chat!.usdPerMillionTokens).toBeCloseTo(22 / 0.027, 6);
    expect(chat!.breakEven.requestsPerHour).toBeCloseTo(2.2 / (21 / 47), 9);
    // 35 s on engines and 35 s.
    expect(body.tenants.map((t) => [t.tenant, t.spentUsd?.toFixed(6)])).toEqual([
      ['=bolt', '11.000000'],
      ['acme', '11.000000'],
    ]);
    expect(body.totals.spentUsd).toBeCloseTo(10 * (2 * 2 + 0.1 + 0.3), 9);
    expect(body.prices).toMatchObject([
      { acceleratorKind: 'L40S', usdPerHour: 2, source: 'usdPerHour of the host' },
      { acceleratorKind: 'T4', usdPerHour: 0.1, source: 'bought for 730 USD, over 10 months' },
    ]);
    expect(body.notes.join('\n')).toMatch(
      /divided between them by their time on engines\n10 of 47 requests .* declare no value.*\nchat: simulated/,
    );
  });

  it('agrees with /api/v1/cost and with the observations', async () => {
    const cost = (await api.call<Cost>('GET', '/api/v1/cost?windowSeconds=3600')).body;
    const hour = await report(`?from=${new Date(now - HOUR_MS).toISOString()}`);
    const [chat] = hour.deployments;
    expect(chat!.acceleratorUsd! / chat!.hours!).toBeCloseTo(cost.deployments[0]!.usdPerHour!, 9);
    expect(hour.totals.idleUsd! - hour.idle.reduce((sum, i) => sum + i.fixedUsd, 0)).toBeCloseTo(
      cost.totals.idle.usdPerHour! * chat!.hours!,
      4,
    );
    const observations = (await api.call<{ items: { acceptedAt: string; deployment: string }[] }>('GET', '/api/v1/observations?limit=1000'))
      .body.items;
    const inPeriod = observations.filter((o) => Date.parse(o.acceptedAt) >= from && Date.parse(o.acceptedAt) < to);
    expect((await report()).totals.served.requests).toBe(inPeriod.length);
  });

  it('is a CSV whose columns add up, by the format or by the Accept header', async () => {
    const body = await report();
    const { response, rows } = await csv(`${query}&format=csv`);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="uellm-value-line-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d\.csv"$/,
    );
    const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0);
    expect(sum('requests')).toBe(47);
    expect(sum('spent_usd')).toBeCloseTo(body.totals.spentUsd!, 4);
    expect(sum('earned_usd') - sum('penalty_usd')).toBe(21);
    expect(rows.map((r) => [r.part, r.tenant])).toEqual([
      ['served', "'=bolt"],
      ['served', 'acme'],
      ['idle', ''],
      ['idle', ''],
    ]);
    const negotiated = await csv(`${query}&by=deployment`, { accept: 'text/csv' });
    expect(negotiated.response.headers.get('vary')).toContain('accept');
    expect(Number(negotiated.rows[0]!.break_even_requests_per_hour)).toBeCloseTo(2.2 / (21 / 47), 5);
    const both = await api.app.request(`${PATH}${query}`, { headers: { accept: 'text/csv;q=0.5, application/json' } });
    expect(both.headers.get('content-type')).toContain('application/json');
  });

  it('is of the last day where no time is named, and of no time to come', async () => {
    const { from, to } = await report(`?to=${new Date(now + 48 * HOUR_MS).toISOString()}`);
    expect(Date.parse(to)).toBeLessThan(Date.now() + 1);
    expect(Date.parse(to) - Date.parse(from)).toBe(24 * HOUR_MS);
    expect((await report('')).totals.served.requests).toBe(53);
  });

  it('says that requests of before the oldest observation are not on record', async () => {
    expect((await report('')).notes[0]).toMatch(/^no request of before .* is on record/);
    expect((await report()).notes[0]).not.toMatch(/on record/);
  });

  it.each([
    ['?from=yesterday', 'from'],
    [`?from=${new Date(now).toISOString()}&to=${new Date(now - 1).toISOString()}`, 'from'],
    ['?from=2001-01-01T00:00:00Z', 'from'],
    ['?format=xml', 'format'],
    ['?by=host', 'by'],
    ['?since=1', ''],
  ])('refuses %s', async (text, field) => {
    const { status, body } = await api.call<{ issues: { field: string }[] }>('GET', PATH + text);
    expect([status, body.issues[0]!.field]).toEqual([422, field || expect.any(String)]);
  });

  it('says of a reversed period where it ends', async () => {
    const to = new Date(now - 1).toISOString();
    const refused = await api.call<{ issues: unknown[] }>('GET', `${PATH}?from=${new Date(now).toISOString()}&to=${to}`);
    expect(refused.body.issues).toMatchObject([{ field: 'from', allowed: `a time before \`to\`, ${to}` }]);
    const future = await api.call<{ issues: unknown[] }>('GET', `${PATH}?from=${new Date(Date.now() + HOUR_MS).toISOString()}`);
    expect(future.body.issues).toMatchObject([{ field: 'from', allowed: expect.stringMatching(/^a time before now, 20/) }]);
  });

  it("is for viewers of the fleet, and not for a tenant's keys", async () => {
    const as = async (tenant: string | null) => {
      const { secret } = await createKey(api.db, { name: null, role: 'viewer', tenant, expiresInSeconds: null }, 'test');
      return (await api.call('GET', PATH, undefined, { authorization: `Bearer ${secret}` })).status;
    };
    expect([await as(null), await as('acme')]).toEqual([200, 403]);
  });
});
