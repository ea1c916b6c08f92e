import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { aReplica } from '../../../test/support/rows.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/hosts', { name: 'h1', accelerators: [{ kind: 'L4', count: 1 }], simulated: true });
  await api.call('POST', '/api/v1/models', { name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  const endpoints = [{ url: 'http://127.0.0.1:1', model: 'llama-3.1-8b' }];
  await api.call('POST', '/api/v1/hosts', { name: 'elsewhere', accelerators: [{ kind: 'L4', count: 1 }], external: { endpoints } });
  await aReplica(api.db, { id: 'chat-1', host: 'h1', state: 'stopped', endedAt: new Date() });
  await aReplica(api.db, { id: 'chat-2', host: 'elsewhere' });
});
afterAll(() => api.close());

it('asks the host for as many lines as are wanted', async () => {
  expect((await api.call('GET', '/api/v1/hosts/h1/log')).body).toEqual({ source: 'host worker', lines: ['first', 'last'] });
  expect((await api.call('GET', '/api/v1/replicas/chat-1/log?lines=7')).body).toMatchObject({ source: 'chat-1' });
  expect(api.actions.readLog.mock.calls).toEqual([
    [{ host: 'h1', replicaId: null, lines: 200 }],
    [{ host: 'h1', replicaId: 'chat-1', lines: 7 }],
  ]);
});

it.each([
  ['hosts/none/log', 404],
  ['replicas/none/log', 404],
  ['hosts/elsewhere/log', 409],
  ['replicas/chat-2/log', 409],
  ['hosts/h1/log?lines=1001', 422],
  ['hosts/h1/log?tail=1', 422],
])('declines %s with %i', async (path, status) => {
  expect((await api.call('GET', `/api/v1/${path}`)).status).toBe(status);
});
