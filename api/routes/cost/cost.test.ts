import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertRevision } from '../../../db/queries/deployments.ts';
import { recordHeardOf } from '../../../db/queries/host-states.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { deployments } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { aReplica } from '../../../test/support/rows.ts';
import { costSchema } from '../../schema/cost.ts';
import type { Cost } from '../../schema/index.ts';

const MODEL = 'llama-3.1-8b';
const demand = { requestsPerSecond: 4, inputTokens: 500, outputTokens: 100 };

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: MODEL, source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  for (const [name, kind, price] of [
    ['h1', 'L40S', { usdPerHour: 2 }],
    ['h2', 'T4', {}],
  ] as const) {
    await api.call('POST', '/api/v1/hosts', { name, accelerators: [{ kind, count: 2, ...price }], simulated: true });
    await recordHeardOf(api.db, name, []);
  }
  const value = { usdPerRequest: 0.01, usdPerViolation: 0.1 };
  await api.call('POST', '/api/v1/slo-policies', { name: 'chat', targets: { tpotMs: 60, attainment: 0.9 }, value });
  for (const name of ['chat', 'code', 'unstarted']) {
    const spec = { name, model: MODEL, engine: { kind: 'simulated' }, demand };
    await api.call('POST', '/api/v1/deployments', spec);
    if (name !== 'chat') continue;
    const [row] = await api.db.select().from(deployments).where(eq(deployments.name, name));
    await insertRevision(api.db, name, row!.spec);
    await api.db.update(deployments).set({ currentRevision: 1 }).where(eq(deployments.name, name));
  }
  const anHourAgo = new Date(Date.now() - 2 * 3_600_000);
  await aReplica(api.db, { id: 'r1', host: 'h1', acceleratorKind: 'L40S', createdAt: anHourAgo });
  await aReplica(api.db, { id: 'r2', host: 'h2', acceleratorKind: 'T4', deployment: 'code', createdAt: anHourAgo });
  await insertObservations(
    api.db,
    Array.from({ length: 36 }, (_, i) =>
      anObservation(`o${i}`, { acceptedAtMs: Date.now() - 60_000, policy: 'chat', queueMs: 10, e2eMs: 1000, attained: i !== 0 }),
    ),
  );
});
afterAll(() => api.close());

const cost = async (query = '') => (await api.call<Cost>('GET', `/api/v1/cost${query}`)).body;

describe('/api/v1/cost', () => {
  it('says what each deployment and policy costs, and what idles', async () => {
    const body = await cost();
    expect(costSchema.parse(body)).toEqual(body);
    expect(body.deployments).toMatchObject([
      { deployment: 'chat', usdPerHour: 2, requestsPerSecond: 0.01, usdPerThousandRequests: 2 / 0.036, simulated: true },
      { deployment: 'code', usdPerHour: null, unpriced: ['T4'], requestsPerSecond: 0, capacityRequestsPerSecond: null },
    ]);
    expect(body.deployments[0]!.utilisation).toBeGreaterThan(0);
    expect(body.policies).toMatchObject([
      { policy: 'chat', deployment: 'chat', requests: 36, share: 1, usdPerHour: 2, attainment: 35 / 36, targetAttainment: 0.9 },
    ]);
    expect(body.policies[0]!.value!.usdPerHour).toBeCloseTo(36 * 0.01 - 0.1, 9);
    expect(body.totals).toMatchObject({
      held: { accelerators: 2, usdPerHour: null, pricedUsdPerHour: 2 },
      idle: { accelerators: 2, usdPerHour: null, pricedUsdPerHour: 2 },
    });
    expect(body.refusals).toMatchObject([{ on: 'price', subject: 'T4', nearest: 'give usdPerHour for T4 on host h2' }]);
  });

  it('prices the SLO of what serves at each TPOT asked for, and at its own', async () => {
    const { sloPrices } = await cost('?tpotMs=5,100');
    expect(sloPrices.map((p) => [p.deployment, p.levels.map((l) => [l.targets!.tpotMs, l.own])])).toEqual([
      [
        'chat',
        [
          [5, false],
          [60, true],
          [100, false],
        ],
      ],
    ]);
    const [tight, own] = sloPrices[0]!.levels;
    expect(tight).toMatchObject({ usdPerHour: null, refusal: { on: 'slo', nearest: expect.stringMatching(/^fits at TPOT \d+ ms$/) } });
    expect(own).toMatchObject({ replicas: [{ acceleratorKind: 'L40S' }], presentFleet: { holds: true }, refusal: null });
    expect(own!.usdPerHour).toBe(own!.replicas.reduce((sum, r) => sum + r.count * r.tensorParallel * 2, 0));
    expect((await cost()).sloPrices[0]!.levels.map((l) => l.targets!.tpotMs)).toEqual([30, 50, 60, 100]);
    expect((await cost('?tpotMs=')).sloPrices[0]!.levels.map((l) => l.own)).toEqual([true]);
  });

  it('looks at as much time as is asked for, and not at what was before the first replica', async () => {
    expect((await cost('?windowSeconds=120')).deployments[0]).toMatchObject({ observedSeconds: 120, requestsPerSecond: 0.3 });
    expect((await cost('?windowSeconds=30')).deployments[0]).toMatchObject({ requestsPerSecond: 0 });
    const [chat] = (await cost('?windowSeconds=604800')).deployments;
    expect(chat!.observedSeconds).toBeGreaterThanOrEqual(7200);
    expect(chat!.observedSeconds).toBeLessThan(7300);
  });

  it('is of one deployment where one is named', async () => {
    const { deployments, policies, sloPrices, totals } = await cost('?deployment=code');
    expect([deployments.map((d) => d.deployment), policies, sloPrices]).toEqual([['code'], [], []]);
    expect(totals.held.accelerators).toBe(2);
    expect(await cost('?deployment=unstarted')).toMatchObject({ deployments: [], sloPrices: [] });
    expect(await api.call('GET', '/api/v1/cost?deployment=nobody')).toMatchObject({ status: 404 });
  });

  it.each(['tpotMs=0', 'tpotMs=30,,50', 'tpotMs=fast', `tpotMs=${'1,'.repeat(10)}1`, 'windowSeconds=0', 'window=1'])(
    'refuses %s',
    async (query) => {
      expect(await api.call('GET', `/api/v1/cost?${query}`)).toMatchObject({ status: 422, body: { issues: [expect.anything()] } });
    },
  );
});
