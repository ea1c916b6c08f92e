/**
 * Every route of the document against everybody who might ask. What a route lets in is said here once more, by rule and by exception, so that a
 * new route is met with the rule, and one that should differ has to be named.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { includesRole, type Role } from '../core/domain/access.ts';
import type { Database } from '../db/client.ts';
import { createKey, type KeyRequest, revokeKey } from '../db/queries/keys.ts';
import { createTestApi, type TestApi } from '../test/support/api.ts';

/** Who may read all, reads; who operates, changes; keys, and deleting what was recorded, are the admin's. */
const EXCEPTIONS: Record<string, Role> = {
  'POST /api/v1/what-if': 'viewer',
  // What engines write may name what tenants do.
  'GET /api/v1/hosts/{name}/log': 'operator',
  'GET /api/v1/replicas/{id}/log': 'operator',
  'GET /api/v1/keys': 'admin',
  'POST /api/v1/keys': 'admin',
  'GET /api/v1/keys/{id}': 'admin',
  'DELETE /api/v1/keys/{id}': 'admin',
  'DELETE /api/v1/observations': 'admin',
};

/** What looks at nothing but what is the asking tenant's. */
const FOR_TENANTS = new Set([
  'GET /api/v1/info',
  'GET /api/v1/tenants',
  'GET /api/v1/tenants/{name}',
  'GET /api/v1/slo-policies',
  'GET /api/v1/slo-policies/{name}',
  'GET /api/v1/slo-attainment',
  'GET /api/v1/slo-attainment/history',
  'GET /api/v1/observations',
  'GET /api/v1/observations/distribution',
  'GET /api/v1/observations/{id}',
  'DELETE /api/v1/observations',
  'GET /api/v1/audit',
  'GET /api/v1/audit/{id}',
  'GET /api/v1/keys',
  'POST /api/v1/keys',
  'GET /api/v1/keys/{id}',
  'DELETE /api/v1/keys/{id}',
]);

const roleFor = (route: string): Role => EXCEPTIONS[route] ?? (route.startsWith('GET ') ? 'viewer' : 'operator');

interface Caller {
  name: string;
  secret: string | null;
  /** undefined: nobody that is known. */
  role?: Role;
  tenant?: string;
}

let api: TestApi;
let callers: Caller[];
let routes: string[];

beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['the-admin'] });
  callers = await makeCallers(api.db);
  const { paths } = (await api.call<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json')).body;
  routes = Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/'))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
});
afterAll(() => api.close());

async function makeCallers(db: Database): Promise<Caller[]> {
  const make = async (request: Partial<KeyRequest> & { role: Role }) =>
    createKey(db, { name: null, tenant: null, expiresInSeconds: null, ...request }, 'test');
  const secret = async (role: Role, tenant: string | null = null) => (await make({ role, tenant })).secret;
  const revoked = await make({ role: 'admin' });
  await revokeKey(db, revoked.row.id, null, 'test');
  const expired = await make({ role: 'admin', expiresInSeconds: 60 });
  await db.execute(`update keys set expires_at = now() - interval '1 second' where id = ${expired.row.id}`);
  return [
    { name: 'nobody', secret: null },
    { name: 'a wrong key', secret: 'uellm_wrong' },
    { name: 'a key of no kind', secret: 'wrong' },
    { name: 'an expired key', secret: expired.secret },
    { name: 'a revoked key', secret: revoked.secret },
    { name: "the environment's key", secret: 'the-admin', role: 'admin' },
    { name: 'a viewer', secret: await secret('viewer'), role: 'viewer' },
    { name: 'an operator', secret: await secret('operator'), role: 'operator' },
    { name: 'an admin', secret: await secret('admin'), role: 'admin' },
    { name: 'a viewer of acme', secret: await secret('viewer', 'acme'), role: 'viewer', tenant: 'acme' },
    { name: 'an operator of acme', secret: await secret('operator', 'acme'), role: 'operator', tenant: 'acme' },
    { name: 'an admin of acme', secret: await secret('admin', 'acme'), role: 'admin', tenant: 'acme' },
  ];
}

/** What becomes of a request of that caller: the status where it is refused, else that it is let in. */
function expected(route: string, { role, tenant }: Caller): number | 'in' {
  if (!role) return 401;
  if (!includesRole(role, roleFor(route))) return 403;
  return tenant !== undefined && !FOR_TENANTS.has(route) ? 403 : 'in';
}

async function ask(route: string, { secret }: Caller, address: string): Promise<number | 'in'> {
  const [method = '', path = ''] = route.split(' ');
  const headers: Record<string, string> = { 'content-type': 'application/json', ...(secret ? { authorization: `Bearer ${secret}` } : {}) };
  const body = method === 'GET' ? {} : { body: '{}' };
  const env = { incoming: { socket: { remoteAddress: address } } };
  const response = await api.app.request(path.replaceAll(/\{\w+\}/g, '987654'), { method, headers, ...body }, env);
  await response.body?.cancel(); // some never end
  return response.status === 401 || response.status === 403 ? response.status : 'in';
}

describe('the matrix of routes and callers', () => {
  it('has every route of the API, and exceptions for none that is not there', () => {
    expect(routes.length).toBeGreaterThan(40);
    for (const route of [...Object.keys(EXCEPTIONS), ...FOR_TENANTS]) expect(routes).toContain(route);
  });

  it('lets in and keeps out as it says', async () => {
    const wrong: string[] = [];
    for (const [i, route] of routes.entries()) {
      // Each from an address of its own: failures would be held against all that come from there.
      const answers = await Promise.all(callers.map((caller, j) => ask(route, caller, `10.${i}.${j}.1`)));
      for (const [j, caller] of callers.entries()) {
        const should = expected(route, caller);
        if (answers[j] !== should) wrong.push(`${route} for ${caller.name}: ${answers[j]}, not ${should}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it('is the one that the document tells of', async () => {
    const { paths } = (
      await api.call<{ paths: Record<string, Record<string, { 'x-uellm-access'?: { role: Role; tenants?: boolean } }>> }>(
        'GET',
        '/openapi.json',
      )
    ).body;
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ');
      const access = paths[path]?.[method.toLowerCase()]?.['x-uellm-access'];
      expect([route, access?.role, access?.tenants ?? false]).toEqual([route, roleFor(route), FOR_TENANTS.has(route)]);
    }
  });
});
