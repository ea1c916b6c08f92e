/** Keys from the command line: made by an installation or right in its database, shown, used, revoked. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKeyOffline } from '../../bin/create-key.ts';
import { readEnvironment } from '../../bin/environment.ts';
import { requireOwnKey } from '../../bin/requirements.ts';
import { tenantSchema } from '../../core/domain/tenant.ts';
import { insertTenant } from '../../db/queries/tenants.ts';
import { createTestApi, type TestApi } from '../support/api.ts';
import { runCli } from '../support/cli.ts';
import { withDatabase } from '../support/database.ts';

let api: TestApi;
let databaseUrl: string;
beforeAll(async () => {
  api = await createTestApi({ apiKeys: [], open: false });
  const { rows } = await api.db.execute<{ name: string }>('select current_database() as name');
  databaseUrl = withDatabase(inject('postgresUrl'), rows[0]!.name);
});
afterAll(() => api.close());

const uellm = (line: string, key: string) =>
  runCli(line.split(' '), { fetch: async (url, init) => api.app.request(url, init), env: { UELLM_API_KEY: key } });

describe('the first key', () => {
  it('is made in the database of an installation that lets nobody in, and makes the others', async () => {
    const { secret, ...first } = await createKeyOffline(readEnvironment({ DATABASE_URL: databaseUrl }), { role: 'admin', name: 'first' });
    expect(first).toMatchObject({ id: 1, role: 'admin', tenant: null, createdBy: expect.stringMatching(/^offline:./) });

    const line = 'keys create --role operator --tenant acme --name ci --expires 90d';
    expect(await uellm(line, secret)).toMatchObject({
      exitCode: 2,
      err: `error: the request is not valid
  tenant: got "acme", allowed is the name of a tenant that is declared (none is yet); uellm apply declares one: kind: Tenant, name: acme
`,
    });
    await insertTenant(api.db, tenantSchema.parse({ name: 'acme' }));
    const made = await uellm(line, secret);
    expect(made).toMatchObject({ exitCode: 0, out: expect.stringMatching(/^uellm_\S{43}\n$/) });
    expect(made.err).toMatch(/^key 2: operator of tenant 'acme', until 20\S+Z\. It is not shown again: only its hash is kept\.\n$/);

    const theirs = made.out.trim();
    const refused = await uellm('get hosts', theirs);
    expect(refused).toMatchObject({ exitCode: 1, err: "error: this is of the whole fleet, and the caller is of tenant 'acme'\n" });
    expect((await uellm('get keys', theirs)).err).toBe('error: this needs the role admin, and the caller has operator\n');

    const table = (await uellm('get keys', secret)).out.split('\n');
    expect(table[0]).toMatch(/^ID +BEGINS +NAME +ROLE +TENANT +STATE +AGE +LAST USED +EXPIRES +MADE BY/);
    expect(table[1]).toMatch(/^2 +uellm_[\w-]{6}\S* +ci +operator +acme +active +\d+ s +\d+ s ago +20\S+Z +key:1 \(first\)/);

    expect(await uellm('delete key 2', secret)).toMatchObject({ exitCode: 0, out: 'key 2 revoked\n' });
    expect((await uellm('get tenants', theirs)).err).toMatch(/^error: the API key is not known, was revoked or has expired/);

    const { items } = JSON.parse((await uellm('get audit --where kind=keys --where name=2 --json', secret)).out);
    expect(items.map((entry: { actor: string; action: string }) => [entry.actor, entry.action])).toEqual([
      ['key:1 (first)', 'revoke'],
      ['key:1 (first)', 'create'],
    ]);
    expect(await uellm('get audit --where colour=red', secret)).toMatchObject({ exitCode: 2, err: expect.stringContaining('colour') });
  });

  it('needs a database, and what a key is made of', async () => {
    await expect(createKeyOffline(readEnvironment({}), { role: 'admin' })).rejects.toThrow('DATABASE_URL: got nothing');
    const environment = readEnvironment({ DATABASE_URL: databaseUrl });
    await expect(createKeyOffline(environment, { role: 'admin', tenant: 'No Name' })).rejects.toThrow(/tenant: got "No Name"/);
    await expect(createKeyOffline(environment, { role: 'admin', tenant: 'acne' })).rejects.toThrow(/tenant: got "acne".*declared \(acme\)/);
  });
});

describe('uellm up', () => {
  const check = (variables: NodeJS.ProcessEnv) => requireOwnKey(readEnvironment(variables));
  const oidc = { UELLM_OIDC_ISSUER: 'https://id.example', UELLM_OIDC_AUDIENCE: 'uellm' };
  it('needs a key of its own wherever one is asked for', () => {
    check({});
    check({ UELLM_BIND: '0.0.0.0', UELLM_API_KEY: 'k' });
    expect(() => check({ UELLM_BIND: '0.0.0.0', DATABASE_URL: 'postgres://db' })).toThrow(
      /UELLM_API_KEY: got nothing, allowed is a key, since UELLM_BIND is 0/,
    );
    expect(() => check(oidc)).toThrow(/UELLM_API_KEY: got nothing, allowed is a key, since UELLM_OIDC_ISSUER/);
  });
});
