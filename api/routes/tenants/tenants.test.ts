import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routingTableSchema } from '../../../core/domain/routing.ts';
import { dayOf } from '../../../core/scheduler/tenant-budget.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { loadRoutingTable } from '../../../db/queries/routing.ts';
import { shareBudgets } from '../../../db/queries/tenant-budgets.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { tenantResourceSchema } from '../../schema/tenants.ts';

const PATH = '/api/v1/tenants';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

describe('tenants', () => {
  it('are declared, audited, and told to gateways at every change', async () => {
    const before = await loadRoutingTable(api.db);
    expect(before.tenants).toEqual([]);
    const created = await api.call('POST', PATH, { name: 'acme', features: 'lengths-only' });
    expect([created.status, created.headers.get('etag')]).toEqual([201, '"1"']);
    expect(tenantResourceSchema.parse(created.body)).toMatchObject({ name: 'acme', features: 'lengths-only', status: { version: 1 } });
    const table = await loadRoutingTable(api.db);
    expect(routingTableSchema.parse(table)).toMatchObject({
      version: before.version + 1,
      tenants: [{ name: 'acme', features: 'lengths-only' }],
    });

    expect((await api.call('PUT', `${PATH}/acme`, { name: 'acme', features: 'off' })).body).toMatchObject({ status: { version: 2 } });
    // The same again changes nothing.
    expect((await api.call('PUT', `${PATH}/acme`, { name: 'acme', features: 'off' })).body).toMatchObject({ status: { version: 2 } });
    await api.call('POST', PATH, { name: 'globex' });
    expect((await api.call('GET', PATH)).body).toMatchObject({
      items: [
        { name: 'acme', features: 'off' },
        { name: 'globex', features: 'full' },
      ],
    });
    expect((await api.call('DELETE', `${PATH}/acme`)).status).toBe(204);
    expect(await loadRoutingTable(api.db)).toMatchObject({ version: before.version + 4, tenants: [{ name: 'globex', features: 'full' }] });
    const audit = await api.call<{ items: { action: string }[] }>('GET', '/api/v1/audit?kind=tenants&name=acme');
    expect(audit.body.items.map(({ action }) => action)).toEqual(['delete', 'replace', 'create']);
  });

  it('take their keys with them', async () => {
    await api.call('POST', PATH, { name: 'hooli' });
    const made = await api.call<{ id: number }>('POST', '/api/v1/keys', { name: 'app', role: 'viewer', tenant: 'hooli' });
    const key = `/api/v1/keys/${made.body.id}`;
    expect((await api.call('GET', key)).body).toMatchObject({ revokedAt: null });
    expect((await api.call('DELETE', `${PATH}/hooli`)).status).toBe(204);
    expect((await api.call('GET', key)).body).toMatchObject({ revokedAt: expect.any(String), revokedBy: expect.any(String) });
    const audit = await api.call<{ items: { action: string }[] }>('GET', `/api/v1/audit?kind=keys&name=${made.body.id}`);
    expect(audit.body.items.map(({ action }) => action)).toEqual(['revoke', 'create']);
  });

  it('say what they may have, and what they have had', async () => {
    const limits = { requestsPerMinute: 60, tokensPerDay: 1000 };
    await api.call('POST', PATH, { name: 'initech', weight: 3, limits });
    const none = { requestsPerMinute: null, tokensPerMinute: null, requestsInFlight: null, requestsToday: 0, tokensToday: 0 };
    expect((await api.call('GET', `${PATH}/initech`)).body).toMatchObject({ weight: 3, limits, status: { use: none } });
    const day = dayOf(Date.now());
    const use = { requestsInFlight: 2, requestsPerMinute: 10, tokensPerMinute: 300 };
    const state = new Map([['initech', { demand: 0, openShare: 0, use }]]);
    for (const gateway of ['g1', 'g2']) await shareBudgets(api.db, gateway, state, day, () => undefined);
    const fields = { tenant: 'initech', acceptedAtMs: Date.now(), inputTokens: 7, outputTokens: 3 };
    const rows = [anObservation('a', fields), anObservation('b', { ...fields, replicaId: null, outcome: 'shed', outputTokens: null })];
    for (let twice = 0; twice < 2; twice++) await insertObservations(api.db, rows);
    expect((await api.call('GET', `${PATH}/initech`)).body).toMatchObject({
      status: { use: { requestsInFlight: 4, requestsPerMinute: 20, tokensPerMinute: 600, requestsToday: 2, tokensToday: 10 } },
    });
  });

  it.each([
    [{ limits: {} }, 'limits'],
    [{ limits: { requestsPerMinute: 0 } }, 'limits.requestsPerMinute'],
    [{ limits: { tokensPerMinute: 1.5 } }, 'limits.tokensPerMinute'],
    [{ limits: { requestsPerHour: 5 } }, 'limits.requestsPerHour'],
    [{ weight: 0 }, 'weight'],
  ])('refuse %j', async (fields, field) => {
    const { status, body } = await api.call<{ issues: { field: string }[] }>('POST', PATH, { name: 'wrong', ...fields });
    expect([status, body.issues[0]?.field]).toEqual([422, field]);
  });

  it('refuse what they do not know', async () => {
    expect((await api.call('POST', PATH, { name: 'x', features: 'some' })).body).toMatchObject({
      status: 422,
      issues: [{ field: 'features', given: '"some"', allowed: 'one of "full", "lengths-only", "off"' }],
    });
    await api.call('POST', PATH, { name: 'twice' });
    expect((await api.call('POST', PATH, { name: 'twice' })).status).toBe(409);
    expect((await api.call('PUT', `${PATH}/nobody`, { name: 'nobody' })).status).toBe(404);
    expect((await api.call('DELETE', `${PATH}/nobody`)).status).toBe(404);
  });
});
