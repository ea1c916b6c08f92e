/**
 * Every route of the document that changes anything leaves its row in the audit trail, and does nothing where it cannot: a new one has to be
 * named here, with a request that it takes.
 */
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COLD_START_SNAPSHOT } from '../core/profiler/snapshot.ts';
import { createKey } from '../db/queries/keys.ts';
import { publishSnapshot } from '../db/queries/profiler.ts';
import { endRollout } from '../db/queries/rollouts.ts';
import { createTestApi, RUNNING, type TestApi } from '../test/support/api.ts';
import { aProposal } from '../test/support/rows.ts';

interface Write {
  route: string;
  /** With names in place of `{name}`; the route's own where absent. */
  path?: () => string;
  body?: object;
  before?: () => Promise<unknown>;
}

const host = { name: 'h', accelerators: [{ kind: 'H100-SXM', count: 4 }], simulated: true };
const model = { name: 'm', source: 'hf://a/b' };
const policy = { name: 'p', targets: { ttftMs: 5 } };
const tenant = { name: 't' };
const deployment = { name: 'd', model: 'm', engine: { kind: 'simulated' } };

let api: TestApi;
let rollout = '';
let actor = '';
let authorization = '';

const declared = (kind: string, object: { name: string }, changed: object): Write[] => [
  { route: `POST /api/v1/${kind}`, body: object },
  { route: `PUT /api/v1/${kind}/{name}`, path: () => `/api/v1/${kind}/${object.name}`, body: { ...object, ...changed } },
];
const removed = (kind: string, name: string): Write => ({ route: `DELETE /api/v1/${kind}/{name}`, path: () => `/api/v1/${kind}/${name}` });
const onRollout = (action: string): Write => ({
  route: `POST /api/v1/rollouts/{id}/${action}`,
  path: () => `/api/v1/rollouts/${rollout}/${action}`,
});

/** In an order in which each is possible. */
const WRITES: Write[] = [
  ...declared('hosts', host, { accelerators: [{ kind: 'H100-SXM', count: 8 }] }),
  ...declared('models', model, { source: 'hf://a/c' }),
  ...declared('slo-policies', policy, { priority: 5 }),
  ...declared('tenants', tenant, { features: 'off' }),
  ...declared('deployments', deployment, { replicas: { min: 1, max: 2 } }),
  { route: 'POST /api/v1/hosts/{name}/drain', path: () => '/api/v1/hosts/h/drain' },
  { route: 'POST /api/v1/hosts/{name}/uncordon', path: () => '/api/v1/hosts/h/uncordon' },
  { route: 'POST /api/v1/deployments/{name}/rollouts', path: () => '/api/v1/deployments/d/rollouts' },
  ...['pause', 'resume', 'approve', 'abort'].map(onRollout),
  ...(['approve', 'decline'] as const).map((decision) => ({
    route: `POST /api/v1/proposals/{id}/${decision}`,
    path: () => `/api/v1/proposals/to-${decision}/${decision}`,
    before: () => aProposal(api.db, { id: `to-${decision}` }),
  })),
  { route: 'POST /api/v1/rebalances', body: { dryRun: true } },
  { route: 'POST /api/v1/rebalances/cancel', before: async () => api.actions.cancelRebalance.mockResolvedValue(true) },
  { route: 'PATCH /api/v1/schedules/{name}', path: () => '/api/v1/schedules/rebalance', body: { paused: true } },
  { route: 'PUT /api/v1/schedules/{name}', path: () => '/api/v1/schedules/rebalance', body: { everySeconds: 60 } },
  {
    route: 'POST /api/v1/profiler/rollback',
    body: { toVersion: 1 },
    async before() {
      for (const version of [1, 2]) await publishSnapshot(api.db, { ...COLD_START_SNAPSHOT, version }, {});
    },
  },
  { route: 'DELETE /api/v1/observations', path: () => '/api/v1/observations?tenant=t' },
  { route: 'POST /api/v1/keys', body: { role: 'viewer' } },
  { route: 'DELETE /api/v1/keys/{id}', path: () => '/api/v1/keys/2' },
  { ...removed('deployments', 'd'), before: () => endRollout(api.db, rollout, { ...RUNNING, phase: 'succeeded' }) },
  removed('tenants', 't'),
  removed('slo-policies', 'p'),
  removed('models', 'm'),
  removed('hosts', 'h'),
];

/** Routes that take a body and change nothing. */
const NO_WRITES = new Set(['POST /api/v1/what-if']);

async function key(role: 'viewer' | 'admin') {
  return createKey(api.db, { name: null, role, tenant: null, expiresInSeconds: null }, 'test');
}

beforeAll(async () => {
  api = await createTestApi({ apiKeys: ['root'] });
  const { row, secret } = await key('admin');
  await key('viewer');
  actor = `key:${row.id}`;
  authorization = `Bearer ${secret}`;
  await api.db.execute(sql`
    create function no_audit() returns trigger language plpgsql as $$ begin raise exception 'the audit trail is full'; end $$`);
});
afterAll(() => api.close());

/** Everything in the database but the audit trail and when keys were used. */
async function contents(): Promise<string> {
  const { rows } = await api.db.execute<{ table_name: string }>(
    sql`select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'audit' order by 1`,
  );
  const dumps = await Promise.all(
    rows.map(async ({ table_name }) => {
      const { rows } = await api.db.execute(sql`select to_jsonb(t) - 'last_used_at' as row from ${sql.identifier(table_name)} t`);
      return [table_name, rows.map((r) => JSON.stringify(r.row)).sort()];
    }),
  );
  return JSON.stringify(dumps, null, 1);
}

/** How often workflows were asked to do something. */
function effects(): number {
  const {
    startDeploy,
    updateRollout,
    startRetirement,
    startDrain,
    cancelDrain,
    startRebalance,
    cancelRebalance,
    changeSchedule,
    tellProposal,
  } = api.actions;
  const all = [startDeploy, updateRollout, startRetirement, startDrain, cancelDrain, startRebalance, cancelRebalance, changeSchedule];
  return [...all, tellProposal].reduce((calls, action) => calls + action.mock.calls.length, 0);
}

const audited = async () => (await api.db.execute<{ actor: string }>(sql`select actor from audit order by id`)).rows;

it('knows every route that changes anything', async () => {
  const { paths } = (await api.call<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json')).body;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const changing = routes.filter((route) => !route.startsWith('GET ') && !NO_WRITES.has(route));
  expect(WRITES.map(({ route }) => route).sort()).toEqual(changing.sort());
});

it('writes a row with each change, and changes nothing where it cannot', async () => {
  for (const { route, path, body, before } of WRITES) {
    const [method = '', template = ''] = route.split(' ');
    await before?.();
    const call = () => api.call<{ id?: string }>(method, path?.() ?? template, body, { authorization });
    const [was, rows, asked] = [await contents(), (await audited()).length, effects()];

    await api.db.execute(sql`create trigger no_audit before insert on audit for each row execute function no_audit()`);
    expect([route, (await call()).status]).toEqual([route, 500]);
    await api.db.execute(sql`drop trigger no_audit on audit`);
    expect([route, await contents(), effects()]).toEqual([route, was, asked]);

    const answer = await call();
    expect([route, answer.status < 300 || answer.body]).toEqual([route, true]);
    const added = (await audited()).slice(rows);
    expect([route, added.length > 0, new Set(added.map((row) => row.actor))]).toEqual([route, true, new Set([actor])]);
    if (route.endsWith('/rollouts')) rollout = answer.body.id ?? '';
  }
});
