import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renewLease } from '../../db/queries/leases.ts';
import { corrections, observations, plans } from '../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import { anObservation } from '../../test/support/observations.ts';
import { aReplica } from '../../test/support/rows.ts';
import { planResourceSchema } from '../schema/plans.ts';
import { correctionResourceSchema, observationResourceSchema } from '../schema/records.ts';
import { replicaResourceSchema } from '../schema/replicas.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  const endedAt = new Date();
  await aReplica(api.db, { id: 'a', state: 'stopped', endedAt, host: 'h1' });
  await aReplica(api.db, { id: 'b', host: 'h1' });
  await aReplica(api.db, { id: 'c', host: 'h2', state: 'draining', deployment: 'code' });
  await aReplica(api.db, { id: 'd', host: 'h2', state: 'failed', endedAt, deployment: 'code' });
  const report = { summary: 's', reasons: [], waiting: [], costUsdPerHourBefore: null, costUsdPerHourAfter: null };
  const plan = { subject: 'chat', basedOn: null, moves: [], report, state: 'applied' as const };
  // Within one millisecond: JavaScript's clock would not tell them apart.
  const at = new Date();
  await api.db.insert(plans).values(['p1', 'p2', 'p3'].map((id) => ({ ...plan, id, purpose: 'deploy' as const, createdAt: at })));
  await api.db.insert(plans).values({ ...plan, id: 'p0', purpose: 'drain', subject: 'h1' });
  const policy = { name: 'chat', targets: { ttftMs: 500, attainment: 0.95 } };
  await api.call('POST', '/api/v1/slo-policies', policy);
  const observed = (id: string, secondsAgo: number, attained: boolean | null, policy = 'chat') => {
    const { acceptedAtMs, ...rest } = anObservation(id, { attained, policy });
    return { ...rest, acceptedAt: new Date(Date.now() - secondsAgo * 1000) };
  };
  await api.db
    .insert(observations)
    .values([
      observed('1', 10, true),
      observed('2', 20, true),
      observed('3', 30, false),
      observed('4', 40, null),
      observed('5', 1000, false),
      observed('6', 50, false, 'fallback'),
      observed('7', 50, true, 'forgotten'),
    ]);
  await api.db.insert(corrections).values({ kind: 'step-time', subject: 'b', evidence: { errorPercent: 12 }, action: 'recalibrated' });
});
afterAll(() => api.close());

interface List {
  items: { id: string | number }[];
  next?: string;
}
const ids = async (path: string) => (await api.call<List>('GET', `/api/v1/${path}`)).body.items.map((item) => item.id);
async function pages(path: string): Promise<(string | number)[]> {
  const found: (string | number)[] = [];
  let cursor = '';
  do {
    const { body } = await api.call<List>('GET', `/api/v1/${path}?limit=1${cursor}`);
    found.push(...body.items.map((item) => item.id));
    cursor = body.next ? `&cursor=${body.next}` : '';
  } while (cursor);
  return found;
}

describe('replicas', () => {
  it('are listed with those that live first', async () => {
    expect(await ids('replicas')).toEqual(['b', 'c', 'a', 'd']);
    expect(await pages('replicas')).toEqual(['b', 'c', 'a', 'd']);
  });
  it.each([
    ['deployment=code', ['c', 'd']],
    ['host=h1', ['b', 'a']],
    ['state=ready', ['b']],
    ['state=ready,draining', ['b', 'c']],
    ['state=failed&host=h1', []],
    ['model=nothing', []],
  ])('are filtered by %s', async (query, expected) => expect(await ids(`replicas?${query}`)).toEqual(expected));
  it('have the fields of the contract on top', async () => {
    const { body } = await api.call('GET', '/api/v1/replicas/b');
    expect(replicaResourceSchema.parse(body)).toEqual(body);
    const contract = [
      'id',
      'model',
      'deployment',
      'revision',
      'host',
      'accelerators',
      'tensorParallel',
      'engine',
      'endpoint',
      'state',
      'generation',
      'simulated',
    ];
    expect(Object.keys(body)).toEqual([...contract, 'status']);
  });
  it('say where a live gateway gets no answer, and do not count as ready', async () => {
    await api.call('POST', '/api/v1/models', { name: 'llama-3.1-8b', source: 'hf://a/b' });
    await api.call('POST', '/api/v1/deployments', { name: 'chat', model: 'llama-3.1-8b', engine: { kind: 'simulated' } });
    const status = async (path: string) => (await api.call<{ status: Record<string, unknown> }>('GET', `/api/v1/${path}`)).body.status;
    expect(await status('replicas/b')).toMatchObject({ unreachable: null });
    expect(await status('deployments/chat')).toMatchObject({ replicas: { ready: 1, living: 1 } });

    const lease = { address: 'http://g', routingVersion: 1, inFlight: {} };
    await renewLease(api.db, { ...lease, gatewayId: 'g1', unhealthy: {} });
    await renewLease(api.db, { ...lease, gatewayId: 'g2', unhealthy: { b: 'connection refused', a: 'gone' } });
    await renewLease(api.db, { ...lease, gatewayId: 'g3', unhealthy: { b: 'timeout' } });
    const { body } = await api.call<{ items: object[] }>('GET', '/api/v1/replicas?host=h1');
    expect(body.items).toMatchObject([
      { id: 'b', state: 'ready', status: { unreachable: 'connection refused' } },
      { id: 'a', status: { unreachable: null } },
    ]);
    expect(await status('replicas/b')).toMatchObject({ unreachable: 'connection refused' });
    expect(await status('deployments/chat')).toMatchObject({ replicas: { ready: 0, living: 1 } });
    expect((await api.call('GET', '/api/v1/deployments')).body).toMatchObject({ items: [{ status: { replicas: { ready: 0 } } }] });
  });
  it('name the states there are', async () => {
    expect((await api.call('GET', '/api/v1/replicas?state=ready,bad')).body).toMatchObject({
      issues: [{ allowed: expect.stringContaining('"draining"') }],
    });
    expect((await api.call('GET', '/api/v1/replicas/nothing')).status).toBe(404);
  });
});

describe('records', () => {
  it('plans are listed newest first, each once, however close together', async () => {
    expect((await pages('plans')).sort()).toEqual(['p0', 'p1', 'p2', 'p3']);
    expect(await ids('plans?purpose=drain')).toEqual(['p0']);
    expect(await ids('plans?subject=chat')).toEqual(['p3', 'p2', 'p1']);
    planResourceSchema.parse((await api.call('GET', '/api/v1/plans/p0')).body);
    expect((await api.call('GET', '/api/v1/plans/p9')).status).toBe(404);
  });
  it('observations are listed newest first, since a time', async () => {
    expect(await pages('observations')).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const since = new Date(Date.now() - 35_000).toISOString();
    expect(await ids(`observations?since=${since}&deployment=chat`)).toEqual([3, 2, 1]);
    expect((await api.call('GET', '/api/v1/observations?since=yesterday')).body).toMatchObject({
      issues: [{ field: 'since', given: '"yesterday"' }],
    });
    const one = await api.call('GET', '/api/v1/observations/3');
    expect(observationResourceSchema.parse(one.body)).toEqual(one.body);
  });
  it('corrections come with their evidence', async () => {
    expect(await ids('corrections')).toEqual([1]);
    expect(correctionResourceSchema.parse((await api.call('GET', '/api/v1/corrections/1')).body)).toMatchObject({
      evidence: { errorPercent: 12 },
      state: 'active',
      change: null,
      attainmentBefore: null,
      undoneAt: null,
      undoReason: null,
    });
  });
  it('audit entries are read one by one', async () => {
    const { body } = await api.call<List>('GET', '/api/v1/audit');
    expect((await api.call('GET', `/api/v1/audit/${body.items[0]?.id}`)).body).toEqual(body.items[0]);
  });
});

describe('SLO attainment', () => {
  const attainment = async (query = '') => (await api.call('GET', `/api/v1/slo-attainment${query}`)).body;
  it('counts what was attained in the window beside what the policy asks for', async () => {
    const chat = { policy: 'chat', class: 'standard', deployment: 'chat', windowSeconds: 300, requests: 3, targetAttainment: 0.95 };
    expect(await attainment()).toEqual({
      items: [
        { ...chat, attained: expect.closeTo(2 / 3) },
        { ...chat, policy: 'fallback', requests: 1, attained: 0, targetAttainment: 0.9 },
        { ...chat, policy: 'forgotten', requests: 1, attained: 1, targetAttainment: null },
      ],
    });
    expect(await attainment('?windowSeconds=15')).toMatchObject({ items: [{ windowSeconds: 15, requests: 1, attained: 1 }] });
    expect(await attainment('?windowSeconds=2000')).toMatchObject({ items: [{ requests: 4, attained: 0.5 }, {}, {}] });
  });
  it('refuses windows that make no sense', async () => {
    expect(await attainment('?windowSeconds=0')).toMatchObject({ issues: [{ field: 'windowSeconds', allowed: 'a number of at least 1' }] });
  });
});
