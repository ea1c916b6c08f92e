import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApi, type TestApi } from '../test/support/api.ts';
import { type ApiClient, ApiProblem, createApiClient } from './client.ts';

let api: TestApi;
let client: ApiClient;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['key'] });
  const fetch = (url: string, init: RequestInit) => Promise.resolve(api.app.request(url, init));
  client = createApiClient({ url: 'http://127.0.0.1:8080/', apiKey: 'key', fetch });
});
afterAll(() => api.close());

describe('the client', () => {
  it('declares, finds, replaces by version and removes', async () => {
    const policy = { name: 'p', targets: { ttftMs: 1 } };
    expect(await client.find('slo-policies', 'p')).toBeUndefined();
    expect(await client.create('slo-policies', policy)).toMatchObject({ name: 'p', status: { version: 1 } });
    const found = (await client.find('slo-policies', 'p'))!;
    expect(found.etag).toBe('"1"');
    await client.replace('slo-policies', 'p', { ...found.object, priority: 5 }, found.etag);
    await expect(client.replace('slo-policies', 'p', { ...found.object, priority: 6 }, found.etag)).rejects.toMatchObject({
      problem: { status: 412 },
    });
    expect((await client.list('slo-policies', { limit: 1, cursor: undefined })).items).toMatchObject([{ priority: 5 }]);
    await client.remove('slo-policies', 'p');
    await expect(client.get('slo-policies', 'p')).rejects.toBeInstanceOf(ApiProblem);
  });

  it('acts', async () => {
    await client.create('models', { name: 'm', source: 'hf://a/b' });
    await client.create('hosts', { name: 'h', accelerators: [{ kind: 'L4', count: 1 }] });
    await client.create('deployments', { name: 'd', model: 'm', engine: { kind: 'simulated' } });
    expect(await client.startRollout('d')).toMatchObject({ id: 'd-r1' });
    expect(await client.actOnRollout('d-r1', 'pause', 'lunch')).toMatchObject({ status: { phase: 'paused' } });
    expect(await client.startDrain('h')).toEqual({ host: 'h', workflowId: 'drain-h' });
    expect(await client.uncordon('h')).toMatchObject({ status: { service: 'schedulable' } });
    expect(await client.startRebalance(false)).toMatchObject({ workflowId: 'rebalance-cluster' });
    expect(await client.sloAttainment(60)).toEqual({ items: [] });
    expect(await client.cost({ deployment: 'd', tpotMs: '50' })).toMatchObject({ deployments: [], sloPrices: [] });
    expect(await client.diagnosis({ deployment: 'd', windowSeconds: 60 })).toEqual({
      windowSeconds: 60,
      replicas: [],
      advice: [],
      missing: [],
      declined: [],
      unknown: [],
    });
    expect(await client.info()).toMatchObject({ simulatedHosts: 0 });
  });

  it('says which address does not answer, and how to start what should', async () => {
    const nobody = createApiClient({ url: 'http://127.0.0.1:9' });
    await expect(nobody.info()).rejects.toThrow(/127\.0\.0\.1:9 is unavailable: .+npm start.+UELLM_API_URL/);
    const other = createApiClient({ url: 'http://x', fetch: async () => new Response('<html>', { status: 502 }) });
    await expect(other.info()).rejects.toThrow(/answers 502/);
  });
});
