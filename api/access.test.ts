import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../core/domain/access.ts';
import { createKey, revokeKey } from '../db/queries/keys.ts';
import { createTestApi, type TestApi } from '../test/support/api.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { checkBinding } from './access.ts';
import type { TokenVerifier } from './access-tokens.ts';

describe('checkBinding', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  const check = (address: string, apiKeys: string[] = [], tokens: TokenVerifier | null = null) =>
    checkBinding(address, { apiKeys, tokens }, database.connection.db);

  it.each(['127.0.0.1', '::1', 'localhost'])('allows %s without a key', (address) => check(address));
  it('allows any address with a key, or an issuer of tokens', async () => {
    await check('0.0.0.0', ['k']);
    await check('0.0.0.0', [], { verify: async () => 'no' });
  });
  it.each(['0.0.0.0', '::', '10.0.0.1', ''])('refuses %j without a key, and says what is missing', (address) =>
    expect(check(address)).rejects.toThrow(/UELLM_API_KEY is set or the database has a key: uellm keys create/),
  );
  it('counts the keys of the database that make others: of an admin, of the fleet, in force', async () => {
    const { db } = database.connection;
    const make = (role: Role, tenant: string | null = null) => createKey(db, { name: null, role, tenant, expiresInSeconds: null }, 'test');
    await make('operator');
    await make('admin', 'acme');
    await expect(check('0.0.0.0')).rejects.toThrow(/UELLM_API_KEY/);
    const { row } = await make('admin');
    await check('0.0.0.0');
    await revokeKey(db, row.id, null, 'test');
    await expect(check('0.0.0.0')).rejects.toThrow(/UELLM_API_KEY/);
  });
});

describe('without keys', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi();
  });
  afterAll(() => api.close());
  const status = async (headers: Record<string, string>, path = '/api/v1/info') => (await api.call('GET', path, undefined, headers)).status;

  it.each(['127.0.0.1', '127.0.0.1:8080', 'localhost:1', 'LOCALHOST', '[::1]:8080', '[::1]'])('serves Host %s', async (host) =>
    expect(await status({ host })).toBe(200),
  );
  it.each([
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example:80',
    '10.0.0.1:8080',
    '[::2]',
    '127.0.0.1@evil.example',
    '',
  ])('refuses Host %j, whatever the path', async (host) => {
    for (const path of ['/api/v1/info', '/', '/docs', '/openapi.json', '/healthz', '/nothing'])
      expect(await status({ host }, path)).toBe(403);
  });
  it.each([
    ['http://127.0.0.1:8080', 200],
    ['http://localhost:8080', 403],
    ['https://127.0.0.1:8080', 403],
    ['http://127.0.0.1:9999', 403],
    ['https://evil.example', 403],
    ['null', 403],
  ])('answers Origin %s of a page on 127.0.0.1:8080 with %i', async (origin, expected) =>
    expect(await status({ host: '127.0.0.1:8080', origin })).toBe(expected),
  );
  it('takes no notice of keys that are none of its own, but of generated ones', async () => {
    const { secret } = await createKey(api.db, { name: null, role: 'viewer', tenant: null, expiresInSeconds: null }, 'test');
    const write = async (key: string) =>
      (await api.call('DELETE', '/api/v1/hosts/none', undefined, { authorization: `Bearer ${key}` })).status;
    expect([await write('sk-whatever'), await write(secret), await write(`${secret}x`)]).toEqual([404, 403, 401]);
  });
  it('names the actor of a write', async () => {
    await api.call('POST', '/api/v1/slo-policies', { name: 'p', targets: { ttftMs: 5 } });
    expect((await api.call('GET', '/api/v1/audit?kind=slo-policies')).body).toMatchObject({
      items: [{ actor: 'admin', action: 'create', kind: 'slo-policies', name: 'p' }],
    });
  });
});

describe('with keys', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await createTestApi({ apiKeys: ['first-key', 'second-key'] });
  });
  afterAll(() => api.close());

  it.each([
    [undefined, 401],
    ['Bearer first-key', 200],
    ['bearer second-key', 200],
    ['Bearer third-key', 401],
    ['Bearer first-ke', 401],
    ['Bearer', 401],
    ['Basic first-key', 401],
    ['first-key', 401],
  ])('answers Authorization %s with %i', async (authorization, expected) => {
    const answer = await api.call('GET', '/api/v1/info', undefined, authorization ? { authorization } : {});
    expect(answer.status).toBe(expected);
    if (expected === 401) {
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(answer.body).toMatchObject({ status: 401, type: 'urn:uellm:problem:unauthorized' });
    }
  });
  it('serves any Host, since the key is what counts', async () => {
    const answer = await api.call('GET', '/api/v1/info', undefined, { host: 'uellm.example', authorization: 'Bearer first-key' });
    expect(answer.status).toBe(200);
  });
  it('refuses an address that failed too often, whatever it then brings, and no other address', async () => {
    const status = async (authorization: string, remoteAddress: string) => {
      const env = { incoming: { socket: { remoteAddress } } };
      const response = await api.app.request('/api/v1/info', { headers: { authorization } }, env);
      return [response.status, response.headers.get('retry-after')];
    };
    for (let i = 0; i < 10; i++) expect(await status(`Bearer guess${i}`, '10.0.0.1')).toEqual([401, null]);
    expect(await status('Bearer guess', '10.0.0.1')).toEqual([429, expect.stringMatching(/^[1-5]$/)]);
    expect(await status('Bearer first-key', '10.0.0.1')).toEqual([429, expect.stringMatching(/^[1-5]$/)]);
    expect(await status('Bearer first-key', '10.0.0.2')).toEqual([200, null]);
  });
  it('refuses every documented address under /api, and unknown ones, without a key', async () => {
    const { paths } = (await api.call<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json')).body;
    const addresses = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
    );
    const guarded = addresses.filter(([, path]) => path.startsWith('/api/'));
    expect(guarded.length).toBeGreaterThan(30);
    for (const [method, path] of [...guarded, ['GET', '/api/v1/nothing'] as const])
      expect([method, path, (await api.call(method, path)).status]).toEqual([method, path, 401]);
  });
  it('leaves health, documents and the dashboard open', async () => {
    for (const path of ['/healthz', '/readyz', '/openapi.json']) expect((await api.call('GET', path)).status).toBe(200);
    for (const path of ['/docs', '/']) expect((await api.app.request(path)).status).toBe(200);
  });
});
