import { asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRoutingTable } from '../../db/queries/routing.ts';
import { sloPolicyVersions } from '../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import { sloPolicyResourceSchema } from '../schema/slo-policies.ts';

const PATH = '/api/v1/slo-policies';
const policy = (name: string, ttftMs = 500) => ({
  name,
  match: { class: 'interactive' },
  targets: { ttftMs, attainment: 0.99 },
  priority: 100,
});

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());
const routingVersion = async () => (await loadRoutingTable(api.db)).version;

describe('a declared object', () => {
  it('is created, read, replaced and deleted, each change audited and told to gateways', async () => {
    const before = await routingVersion();
    const created = await api.call('POST', PATH, policy('life'));
    expect([created.status, created.headers.get('etag'), created.headers.get('location')]).toEqual([201, '"1"', `${PATH}/life`]);
    expect(sloPolicyResourceSchema.parse(created.body)).toMatchObject({
      name: 'life',
      match: { model: '*', class: 'interactive' },
      status: { version: 1 },
    });

    const read = await api.call('GET', `${PATH}/life`);
    expect([read.status, read.headers.get('etag'), read.body]).toEqual([200, '"1"', created.body]);

    const replaced = await api.call('PUT', `${PATH}/life`, policy('life', 200));
    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"']);
    expect(replaced.body).toMatchObject({ targets: { ttftMs: 200 }, status: { version: 2 } });

    expect((await api.call('DELETE', `${PATH}/life`)).status).toBe(204);
    expect((await api.call('GET', `${PATH}/life`)).status).toBe(404);
    expect(await routingVersion()).toBe(before + 3);

    const audit = await api.call<{ items: unknown[] }>('GET', '/api/v1/audit?kind=slo-policies&name=life');
    expect(audit.body.items).toMatchObject([
      { action: 'delete', before: { targets: { ttftMs: 200 } }, after: null },
      { action: 'replace', before: { targets: { ttftMs: 500 } }, after: { targets: { ttftMs: 200 } } },
      { action: 'create', before: null, after: { targets: { ttftMs: 500 } } },
    ]);
  });

  it('keeps every version, and goes on counting when it is made again', async () => {
    await api.call('POST', PATH, policy('again'));
    await api.call('DELETE', `${PATH}/again`);
    const created = await api.call('POST', PATH, policy('again', 7));
    expect(created.headers.get('etag')).toBe('"3"');
    const versions = await api.db
      .select()
      .from(sloPolicyVersions)
      .where(eq(sloPolicyVersions.name, 'again'))
      .orderBy(asc(sloPolicyVersions.version));
    expect(versions.map((v) => v.spec?.targets.ttftMs ?? null)).toEqual([500, null, 7]);
  });

  it('changes nothing when it is written back as it was read', async () => {
    const { body } = await api.call('POST', PATH, policy('same'));
    const version = await routingVersion();
    const written = await api.call('PUT', `${PATH}/same`, body);
    expect([written.status, written.headers.get('etag'), written.body]).toEqual([200, '"1"', body]);
    expect(await routingVersion()).toBe(version);
    expect((await api.call<{ items: unknown[] }>('GET', '/api/v1/audit?name=same')).body.items).toHaveLength(1);
  });

  it.each([
    ['"1"', 200],
    ['"7", "1"', 200],
    ['*', 200],
    ['"2"', 412],
    ['W/"1"', 412],
    ['1', 412],
  ])('honours If-Match %s', async (ifMatch, expected) => {
    const name = `match-${expected}-${ifMatch.length}`;
    await api.call('POST', PATH, policy(name));
    const put = await api.call('PUT', `${PATH}/${name}`, policy(name, 9), { 'if-match': ifMatch });
    expect(put.status).toBe(expected);
    if (expected === 412) {
      expect(put.body).toMatchObject({ type: 'urn:uellm:problem:precondition-failed' });
      expect((await api.call('DELETE', `${PATH}/${name}`, undefined, { 'if-match': ifMatch })).status).toBe(412);
      expect((await api.call('GET', `${PATH}/${name}`)).body).toMatchObject({ targets: { ttftMs: 500 } });
    }
  });

  it('is not made twice, and not made by replacing', async () => {
    await api.call('POST', PATH, policy('once'));
    expect(await api.call('POST', PATH, policy('once'))).toMatchObject({ status: 409, body: { type: 'urn:uellm:problem:already-exists' } });
    expect((await api.call('PUT', `${PATH}/never`, policy('never'))).status).toBe(404);
    expect((await api.call('DELETE', `${PATH}/never`)).status).toBe(404);
  });

  it('names what is wrong, field by field, and leaves nothing behind', async () => {
    const { status, headers, body } = await api.call('POST', PATH, { name: 'bad', targets: { ttftMs: -5 }, nonsense: 1 });
    expect([status, headers.get('content-type')]).toEqual([422, 'application/problem+json']);
    expect(body).toMatchObject({ type: 'urn:uellm:problem:invalid-input', title: 'Invalid input', status: 422, instance: PATH });
    expect(body.issues).toEqual([
      { field: 'targets.ttftMs', given: '-5', allowed: 'a number above 0' },
      { field: 'nonsense', given: '1', allowed: 'no such field (unknown fields are refused)' },
    ]);
    expect((await api.call('GET', `${PATH}/bad`)).status).toBe(404);
    expect((await api.call<{ items: unknown[] }>('GET', '/api/v1/audit?name=bad')).body.items).toEqual([]);
  });

  it('keeps its name', async () => {
    await api.call('POST', PATH, policy('kept'));
    expect((await api.call('PUT', `${PATH}/kept`, policy('other'))).body).toMatchObject({ issues: [{ field: 'name', given: '"other"' }] });
  });

  it('is listed by name, page by page, each once', async () => {
    for (const name of ['page-c', 'page-a', 'page-b']) await api.call('POST', PATH, policy(name));
    const names: string[] = [];
    let next = '';
    do {
      const page = await api.call<{ items: { name: string }[]; next?: string }>('GET', `${PATH}?limit=2${next && `&cursor=${next}`}`);
      expect(page.body.items.length).toBeLessThanOrEqual(2);
      names.push(...page.body.items.map((p) => p.name));
      next = page.body.next ?? '';
    } while (next);
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).toEqual(expect.arrayContaining(['page-a', 'page-b', 'page-c']));
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', 'cursor=%00', 'cursor=ab~', 'nonsense=1'])(
    'refuses the query %s',
    async (query) => {
      const answer = await api.call('GET', `${PATH}?${query}`);
      expect([answer.status, answer.body.type]).toEqual([422, 'urn:uellm:problem:invalid-input']);
    },
  );
});
