import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertObservations } from '../../../db/queries/observations.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';

const PATH = '/api/v1/observations';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await insertObservations(
    api.db,
    ['acme', 'acme', 'globex'].map((tenant, i) => anObservation(`o${i}`, { tenant, features: 'AAEC', featureKey: 'k1' })),
  );
});
afterAll(() => api.close());

describe('observations of a tenant', () => {
  it('are not shown with what the profiler looks at', async () => {
    expect(JSON.stringify((await api.call('GET', PATH)).body)).not.toContain('feature');
  });

  it('are deleted only where a tenant is named', async () => {
    expect(await api.call('DELETE', PATH)).toMatchObject({ status: 422, body: { issues: [{ field: 'tenant', given: 'nothing' }] } });
    expect((await api.call('DELETE', `${PATH}?tenant=`)).status).toBe(422);
    expect((await api.call('DELETE', `${PATH}?tenant=acme&deployment=chat`)).status).toBe(422);
    expect((await api.call('GET', PATH)).body).toMatchObject({ items: [{}, {}, {}] });
    expect((await api.call('GET', '/api/v1/audit?kind=observations')).body).toEqual({ items: [] });
  });

  it('go, audited with who asked and how many they were', async () => {
    expect(await api.call('DELETE', `${PATH}?tenant=acme`)).toMatchObject({ status: 200, body: { tenant: 'acme', deleted: 2 } });
    expect((await api.call('GET', PATH)).body).toMatchObject({ items: [{ tenant: 'globex' }] });
    expect((await api.call('GET', '/api/v1/audit?kind=observations&name=acme')).body).toMatchObject({
      items: [
        { actor: 'admin', action: 'deleted', after: { deleted: 2 } },
        { actor: 'admin', action: 'delete' },
      ],
    });
    expect((await api.call('DELETE', `${PATH}?tenant=acme`)).body).toEqual({ tenant: 'acme', deleted: 0 });
  });
});
