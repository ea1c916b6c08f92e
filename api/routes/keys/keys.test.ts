import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertObservations } from '../../../db/queries/observations.ts';
import { hashOfSecret } from '../../../db/secret-hash.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import type { KeyCreated, KeyInput, KeyResource, ListOf } from '../../schema/index.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['root'] });
  for (const name of ['acme', 'umbrella']) await call('root', 'POST', 'tenants', { name });
});
afterAll(() => api.close());

const as = (key: string) => ({ authorization: `Bearer ${key}` });
const call = <T = Record<string, unknown>>(key: string, method: string, path: string, body?: unknown) =>
  api.call<T>(method, `/api/v1/${path}`, body, as(key));
const make = async (input: KeyInput, by = 'root') => (await call<KeyCreated>(by, 'POST', 'keys', input)).body;

describe('a key', () => {
  it('is shown once, and only its hash is kept', async () => {
    const answer = await call<KeyCreated>('root', 'POST', 'keys', { role: 'operator', name: 'ci', expiresInSeconds: 3600 });
    expect(answer.status).toBe(201);
    expect([answer.headers.get('cache-control'), answer.headers.get('location')]).toEqual(['no-store', `/api/v1/keys/${answer.body.id}`]);
    const { secret, ...rest } = answer.body;
    expect(secret).toMatch(/^uellm_[\w-]{43}$/);
    expect(rest.prefix).toBe(secret.slice(0, 12));
    expect(rest).toMatchObject({ name: 'ci', role: 'operator', tenant: null, state: 'active', createdBy: 'admin', lastUsedAt: null });
    expect(Date.parse(rest.expiresAt!) - Date.parse(rest.createdAt)).toBe(3_600_000);

    const { rows } = await api.db.execute<{ whole: string }>(
      'select row_to_json(k)::text as whole from keys k union all select row_to_json(a)::text from audit a',
    );
    const everything = rows.map(({ whole }) => whole).join('\n');
    expect(everything).not.toContain(secret);
    expect(everything).toContain(hashOfSecret(secret));
    expect((await call('root', 'GET', `keys/${rest.id}`)).body).toEqual(rest);
    expect(JSON.stringify((await call('root', 'GET', 'keys')).body)).not.toContain(hashOfSecret(secret));
  });

  it('is told of when it is used, and named as the actor of what it does', async () => {
    const named = await make({ role: 'operator', name: 'ci' });
    const nameless = await make({ role: 'operator' });
    await call(named.secret, 'POST', 'slo-policies', { name: 'a', targets: { ttftMs: 5 } });
    await call(nameless.secret, 'POST', 'slo-policies', { name: 'b', targets: { ttftMs: 5 } });
    const { items } = (await call<ListOf<{ actor: string }>>('root', 'GET', 'audit?kind=slo-policies')).body;
    expect(items.map(({ actor }) => actor)).toEqual([`key:${nameless.id}`, `key:${named.id} (ci)`]);
    expect((await call<KeyResource>('root', 'GET', `keys/${named.id}`)).body.lastUsedAt).not.toBeNull();
    const mine = await call<ListOf<{ name: string }>>('root', 'GET', `audit?actor=${encodeURIComponent(`key:${named.id} (ci)`)}`);
    expect(mine.body.items.map(({ name }) => name)).toEqual(['a']);
  });

  it('is of no use once it is revoked, and its row stays', async () => {
    const { id, secret } = await make({ role: 'viewer' });
    expect((await call(secret, 'GET', 'info')).status).toBe(200);
    expect((await call('root', 'DELETE', `keys/${id}`)).status).toBe(204);
    expect((await call(secret, 'GET', 'info')).status).toBe(401);
    expect((await call('root', 'GET', `keys/${id}`)).body).toMatchObject({ state: 'revoked', revokedBy: 'admin' });
    expect(await call('root', 'DELETE', `keys/${id}`)).toMatchObject({
      status: 409,
      body: { detail: `key '${id}': was revoked by admin` },
    });
    expect((await call('root', 'DELETE', 'keys/987654')).status).toBe(404);
    const trail = await call<ListOf<{ action: string; before: unknown }>>('root', 'GET', `audit?kind=keys&name=${id}`);
    expect(trail.body.items.map(({ action }) => action)).toEqual(['revoke', 'create']);
    expect(trail.body.items[0]!.before).toMatchObject({ role: 'viewer', tenant: null });
  });

  it('raises the routing version as it comes and goes, so that gateways read again', async () => {
    const version = async () => (await api.db.execute<{ version: string }>('select version from routing_version')).rows[0]!.version;
    const first = await version();
    const { id } = await make({ role: 'viewer' });
    const second = await version();
    await call('root', 'DELETE', `keys/${id}`);
    expect(new Set([first, second, await version()]).size).toBe(3);
  });

  it.each([
    [{}, 'role'],
    [{ role: 'owner' }, 'role'],
    [{ role: 'viewer', tenant: 'Not A Name' }, 'tenant'],
    [{ role: 'viewer', expiresInSeconds: 5 }, 'expiresInSeconds'],
    [{ role: 'viewer', scope: 'all' }, 'scope'],
  ])('is not made of %j', async (input, field) => {
    const { status, body } = await call<{ issues: { field: string }[] }>('root', 'POST', 'keys', input);
    expect([status, body.issues.map((issue) => issue.field)]).toEqual([422, [field]]);
  });

  it('is not made of a tenant that nobody declared: that would have no limits', async () => {
    const { status, body } = await call('root', 'POST', 'keys', { role: 'viewer', tenant: 'acne' });
    const allowed = 'the name of a tenant that is declared (acme, umbrella); uellm apply declares one: kind: Tenant, name: acne';
    expect([status, body.issues]).toEqual([422, [{ field: 'tenant', given: '"acne"', allowed }]]);
  });

  it('is listed newest first, by the page', async () => {
    const made = [await make({ role: 'viewer' }), await make({ role: 'viewer' }), await make({ role: 'viewer' })];
    const page = (await call<ListOf<KeyResource>>('root', 'GET', 'keys?limit=2')).body;
    expect(page.items.map(({ id }) => id)).toEqual([made[2]!.id, made[1]!.id]);
    const rest = (await call<ListOf<KeyResource>>('root', 'GET', `keys?limit=1&cursor=${page.next}`)).body;
    expect(rest.items.map(({ id }) => id)).toEqual([made[0]!.id]);
  });
});

describe("a tenant's key", () => {
  it('sees what is its tenant’s, and nothing else', async () => {
    const { secret } = await make({ role: 'viewer', tenant: 'acme' });
    for (const name of ['acme', 'umbrella']) {
      await call('root', 'POST', 'slo-policies', { name: `of-${name}`, match: { tenant: name }, targets: { ttftMs: 5 } });
    }
    const observations = ['acme', 'umbrella', 'acme'].map((tenant, i) =>
      anObservation(`scope-${i}`, { tenant, attained: true, acceptedAtMs: Date.now() }),
    );
    await insertObservations(api.db, observations);
    const names = async (path: string) => (await call<ListOf<{ name: string }>>(secret, 'GET', path)).body.items.map(({ name }) => name);
    expect([await names('tenants'), await names('slo-policies')]).toEqual([['acme'], ['of-acme']]);
    for (const path of ['tenants', 'slo-policies'].flatMap((kind) => [`${kind}/umbrella`, `${kind}/of-umbrella`]))
      expect([path, (await call(secret, 'GET', path)).status]).toEqual([path, 404]);
    expect((await call(secret, 'GET', 'slo-policies/a')).status).toBe(404);
    expect((await call(secret, 'GET', 'tenants/acme')).status).toBe(200);

    type Observations = ListOf<{ id: number; tenant: string }>;
    const seen = (await call<Observations>(secret, 'GET', 'observations')).body.items;
    expect(seen.map(({ tenant }) => tenant)).toEqual(['acme', 'acme']);
    expect((await call(secret, 'GET', 'observations?tenant=umbrella')).status).toBe(404);
    const [theirs] = (await call<Observations>('root', 'GET', 'observations?tenant=umbrella')).body.items;
    expect((await call(secret, 'GET', `observations/${theirs!.id}`)).status).toBe(404);
    expect((await call(secret, 'GET', `observations/${seen[0]!.id}`)).status).toBe(200);
    const attained = (await call<ListOf<{ requests: number }>>(secret, 'GET', 'slo-attainment?windowSeconds=604800')).body.items;
    expect(attained.reduce((sum, { requests }) => sum + requests, 0)).toBe(2);

    const trail = (await call<ListOf<{ id: number; tenant: string }>>(secret, 'GET', 'audit')).body.items;
    expect(new Set(trail.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    const others = (await call<ListOf<{ id: number }>>('root', 'GET', 'audit?tenant=umbrella')).body.items;
    expect((await call(secret, 'GET', `audit/${others[0]!.id}`)).status).toBe(404);
  });

  it('of an admin holds the keys of its tenant, and of no other', async () => {
    const theirs = await make({ role: 'viewer', tenant: 'umbrella' });
    const { secret } = await make({ role: 'admin', tenant: 'acme' });
    const made = await call<KeyCreated>(secret, 'POST', 'keys', { role: 'viewer' });
    expect([made.status, made.body.tenant]).toEqual([201, 'acme']);
    expect((await call(secret, 'POST', 'keys', { role: 'viewer', tenant: 'umbrella' })).status).toBe(403);
    const { items } = (await call<ListOf<KeyResource>>(secret, 'GET', 'keys')).body;
    expect(new Set(items.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    for (const method of ['GET', 'DELETE']) expect((await call(secret, method, `keys/${theirs.id}`)).status).toBe(404);
    expect((await call(theirs.secret, 'GET', 'tenants')).status).toBe(200);
    expect((await call(secret, 'DELETE', `keys/${made.body.id}`)).status).toBe(204);
  });

  it('of an admin deletes the observations of its tenant, and of no other', async () => {
    const { secret } = await make({ role: 'admin', tenant: 'acme' });
    expect((await call(secret, 'DELETE', 'observations?tenant=umbrella')).status).toBe(404);
    expect((await call<{ deleted: number }>(secret, 'DELETE', 'observations?tenant=acme')).body.deleted).toBe(2);
    expect((await call<ListOf<{ tenant: string }>>('root', 'GET', 'observations')).body.items.map(({ tenant }) => tenant)).toEqual([
      'umbrella',
    ]);
  });
});
