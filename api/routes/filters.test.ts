import { afterAll, beforeAll, expect, it } from 'vitest';
import { corrections } from '../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../test/support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  const make = (path: string, body: unknown) => api.call('POST', `/api/v1/${path}`, body);
  for (const name of ['a1', 'a2', 'b1']) {
    await make('hosts', { name, accelerators: [{ kind: 'L4', count: 1 }], simulated: true });
    await make('models', { name, source: 'hf://a/b' });
    await make('tenants', { name });
    await make('deployments', { name: `${name}-d`, model: name, engine: { kind: 'simulated' } });
    await make('slo-policies', { name, match: { model: name, tenant: name[0] }, targets: { ttftMs: 500 } });
  }
  await make('hosts/a2/drain', {});
  await make('keys', { role: 'viewer', name: 'k1' });
  await make('keys', { role: 'operator', name: 'k2', tenant: 'a1' });
  const correction = { evidence: {}, action: 'it was mended' };
  await api.db.insert(corrections).values([
    { ...correction, kind: 'lengths', subject: 'a1-d', state: 'kept' },
    { ...correction, kind: 'step-time', subject: 'a1-d' },
  ]);
});
afterAll(() => api.close());

const names = async (path: string) => {
  const { status, body } = await api.call<{ items: Record<string, unknown>[] }>('GET', `/api/v1/${path}`);
  return status === 200 ? body.items.map(({ name, kind }) => name ?? kind) : status;
};

it.each([
  ['hosts?prefix=a', ['a1', 'a2']],
  ['hosts?prefix=a&service=cordoned', ['a2']],
  ['hosts?liveness=lost', []],
  ['hosts?service=gone', 422],
  ['models?prefix=b', ['b1']],
  ['models?prefix=%25', []],
  ['tenants?prefix=a2', ['a2']],
  ['deployments?model=a1', ['a1-d']],
  ['deployments?model=a1&prefix=b', []],
  ['slo-policies?tenant=a', ['a1', 'a2']],
  ['slo-policies?tenant=a&model=a2', ['a2']],
  ['corrections?subject=a1-d', ['step-time', 'lengths']],
  ['corrections?kind=lengths', ['lengths']],
  ['corrections?state=active', ['step-time']],
  ['keys?role=viewer', ['k1']],
  ['keys?tenant=a1', ['k2']],
  ['models?model=a1', 422],
])('%s', async (path, expected) => expect(await names(path)).toEqual(expected));

it('goes on with the filter on the next page', async () => {
  const { body } = await api.call<{ items: unknown[]; next: string }>('GET', '/api/v1/hosts?prefix=a&limit=1');
  expect(await names(`hosts?prefix=a&limit=1&cursor=${body.next}`)).toEqual(['a2']);
});
