import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measuredStepTime } from '../../../core/domain/step-time.ts';
import { insertRevision } from '../../../db/queries/deployments.ts';
import { recordHeardOf } from '../../../db/queries/host-states.ts';
import { createKey } from '../../../db/queries/keys.ts';
import { renewLease } from '../../../db/queries/leases.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { deployments } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { aReplica } from '../../../test/support/rows.ts';
import type { WhatIf } from '../../schema/index.ts';
import { whatIfSchema } from '../../schema/what-if.ts';

const MODEL = 'llama-3.1-8b';
const CHAT = { name: 'chat', targets: { ttftMs: 500, tpotMs: 60, attainment: 0.9 } };
const REQUESTS = 120;
const HOUR_MS = 3_600_000;

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: MODEL, source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  await api.call('POST', '/api/v1/slo-policies', CHAT);
  for (const name of ['h1', 'h2']) {
    await api.call('POST', '/api/v1/hosts', { name, accelerators: [{ kind: 'L40S', count: 1 }], simulated: true });
    await recordHeardOf(api.db, name, []);
  }
  const demand = { requestsPerSecond: 4, inputTokens: 500, outputTokens: 100 };
  await api.call('POST', '/api/v1/deployments', { name: 'chat', model: MODEL, engine: { kind: 'simulated' }, demand });
  const [row] = await api.db.select().from(deployments).where(eq(deployments.name, 'chat'));
  await insertRevision(api.db, 'chat', row!.spec);
  await api.db.update(deployments).set({ currentRevision: 1 }).where(eq(deployments.name, 'chat'));
  const stepTime = measuredStepTime(MODEL, 'L40S', 1)!.coefficients;
  const createdAt = new Date(Date.now() - 3 * HOUR_MS);
  for (const host of ['h1', 'h2'])
    await aReplica(api.db, { id: `on-${host}`, host, acceleratorKind: 'L40S', stepTime, kvCacheTokens: 150_000, createdAt });
});
afterAll(() => api.close());

const ask = async (body: object) => {
  const { status, body: answer } = await api.call<WhatIf>('POST', '/api/v1/what-if', body);
  expect(status).toBe(200);
  expect(whatIfSchema.parse(answer)).toEqual(answer);
  return answer;
};

describe('/api/v1/what-if', () => {
  it('says so where nothing was observed', async () => {
    expect(await ask({})).toMatchObject({
      observed: 0,
      deployments: [],
      policies: [],
      notes: [expect.stringMatching(/nothing to replay/), expect.stringMatching(/^no gateway says/)],
    });
  });

  it('replays what was observed of the time that is asked for, before and after', async () => {
    const startMs = Date.now() - 700_000;
    const measured = { policy: 'chat', queueMs: 2, ttftMs: 90, tpotMs: 20, e2eMs: 2000, attained: true };
    const recent = Array.from({ length: REQUESTS }, (_, i) => anObservation(`o${i}`, { ...measured, acceptedAtMs: startMs + i * 250 }));
    await insertObservations(api.db, [...recent, anObservation('old', { ...measured, acceptedAtMs: Date.now() - 2 * HOUR_MS })]);

    const targets = { ...CHAT.targets, tpotMs: 5 };
    const answer = await ask({ policies: [{ ...CHAT, targets }], prices: { l40s: 1 } });
    expect(answer).toMatchObject({ windowSeconds: 3600, observed: REQUESTS, replayed: REQUESTS, counted: REQUESTS });
    expect(answer.changes).toEqual(['SloPolicy chat: ~ targets.tpotMs: 60 -> 5', 'L40S: 1.55 -> 1 USD/h']);
    const [chat] = answer.policies;
    expect(chat).toMatchObject({ policy: 'chat', observed: { attainment: 1 }, before: { attainment: 1 }, after: { attainment: 0 } });
    expect(answer.totals).toMatchObject({ before: { replicas: 2, usdPerHour: 3.1 }, after: { replicas: 2, usdPerHour: 2 } });
    expect(answer.totals.before.usdPerThousandRequests).toBeCloseTo((3.1 * 1000) / REQUESTS, 1);
    const [{ observed, before }] = answer.deployments as [WhatIf['deployments'][number]];
    expect(observed).toMatchObject({ ttftMs: { p50: 90 }, waitMs: { p99: 2 } });
    expect(before.tpotMs!.p50).toBeGreaterThan(5);
    expect((await ask({ windowSeconds: 10_000 })).observed).toBe(REQUESTS + 1);
    // Nothing is changed by asking.
    expect((await api.call('GET', '/api/v1/slo-policies/chat')).body).toMatchObject({ targets: CHAT.targets });
  });

  it('takes a sample of more requests than are asked for, in contiguous stretches', async () => {
    const { observed, replayed, stretches, notes } = await ask({ requests: 40 });
    expect(observed).toBe(REQUESTS);
    expect(replayed).toBeLessThanOrEqual(40);
    expect(replayed).toBeGreaterThan(30);
    expect(stretches.reduce((sum, s) => sum + s.requests, 0)).toBe(replayed);
    // They came 250 ms apart.
    for (const { from, until, requests } of stretches)
      expect(Date.parse(until) - Date.parse(from)).toBeGreaterThanOrEqual((requests - 1) * 250);
    expect(notes[0]).toMatch(/^a sample: \d+ of 120 requests/);
  });

  it('tells who listens how far it is, and then the answer', async () => {
    const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
    const response = await api.app.request('/api/v1/what-if', { method: 'POST', headers, body: '{}' });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = (await response.text()).split('\n\n').flatMap((text) => {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text) ?? [];
      return event ? [{ event, data: JSON.parse(data!) }] : [];
    });
    expect(events[0]).toMatchObject({ event: 'progress', data: { of: 2 * REQUESTS } });
    expect(events.at(-1)).toMatchObject({ event: 'answer', data: { observed: REQUESTS } });
    expect(whatIfSchema.parse(events.at(-1)!.data)).toEqual(events.at(-1)!.data);
    const refused = await api.app.request('/api/v1/what-if', { method: 'POST', headers, body: '{"replicas":{"nobody":1}}' });
    expect([refused.status, await refused.json()]).toEqual([422, expect.objectContaining({ issues: [expect.anything()] })]);
  });

  it('answers nobody who takes the question back', async () => {
    const client = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const asked = api.app.request('/api/v1/what-if', { method: 'POST', headers, body: '{}', signal: client.signal });
    client.abort();
    // No failure of the API's: those are logged as errors.
    expect((await asked).status).toBe(499);
  });

  it('schedules as live gateways say that they do', async () => {
    expect(await ask({})).toMatchObject({ scheduler: 'uellm', notes: [expect.stringMatching(/^no gateway says/)] });
    const gateway = { address: '', routingVersion: 1, inFlight: {}, unhealthy: {} };
    await renewLease(api.db, { ...gateway, gatewayId: 'g1', schedulerPolicy: 'round-robin' });
    expect(await ask({})).toMatchObject({ scheduler: 'round-robin', notes: [] });
    for (const gatewayId of ['g2', 'g3']) await renewLease(api.db, { ...gateway, gatewayId, schedulerPolicy: 'edf' });
    expect(await ask({})).toMatchObject({
      scheduler: 'edf',
      notes: ['gateways schedule by edf and by round-robin: replayed by edf'],
    });
  });

  it('adds and removes hosts and replicas', async () => {
    const h9 = { name: 'h9', accelerators: [{ kind: 'L40S', count: 1, usdPerHour: 9 }], simulated: true };
    const { changes, totals } = await ask({ addHosts: [h9], removeHosts: ['h2'], replicas: { chat: 2 } });
    expect(changes).toEqual([
      'host h2 removed, with 1 replica that served',
      'host h9 added, with 1 accelerator',
      'chat: replicas 2 -> 2, new: 1 × L40S on h9',
    ]);
    expect(totals.after.usdPerHour).toBeCloseTo(1.55 + 9, 6);
  });

  it.each([
    [{ hours: 1 }, ''],
    [{ windowSeconds: 0 }, 'windowSeconds'],
    [{ requests: 1e9 }, 'requests'],
    [{ prices: { abacus: 1 } }, 'prices.abacus'],
    [{ prices: { L40S: -1 } }, 'prices.L40S'],
    [{ policies: [{ name: 'p', targets: {} }] }, 'policies[0].targets'],
    [{ policies: [CHAT, CHAT] }, 'policies'],
    [{ removeHosts: ['nowhere'] }, 'removeHosts[0]'],
    [{ replicas: { nobody: 1 } }, 'replicas.nobody'],
    [{ modes: { nobody: 'auto' } }, 'modes.nobody'],
    [{ modes: { chat: 'fast' } }, 'modes.chat'],
  ])('refuses %j', async (body, field) => {
    const { status, body: problem } = await api.call<{ issues: { field: string }[] }>('POST', '/api/v1/what-if', body);
    expect([status, problem.issues[0]!.field]).toEqual([422, field || expect.any(String)]);
  });

  it("is for viewers of the fleet, and not for a tenant's keys", async () => {
    const as = async (tenant: string | null) => {
      const { secret } = await createKey(api.db, { name: null, role: 'viewer', tenant, expiresInSeconds: null }, 'test');
      return (await api.call('POST', '/api/v1/what-if', {}, { authorization: `Bearer ${secret}` })).status;
    };
    expect([await as(null), await as('acme')]).toEqual([200, 403]);
  });
});
