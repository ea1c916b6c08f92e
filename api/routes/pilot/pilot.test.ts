import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { measuredStepTime } from '../../../core/domain/step-time.ts';
import { insertRevision } from '../../../db/queries/deployments.ts';
import { recordHeardOf } from '../../../db/queries/host-states.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { deployments } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { aProposal, aReplica } from '../../../test/support/rows.ts';
import type { PilotReport } from '../../schema/index.ts';
import { pilotReportSchema } from '../../schema/pilot.ts';

const MODEL = 'llama-3.1-8b';
const HOUR_MS = 3_600_000;

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: MODEL, source: 'hf://a/b' });
  await api.call('POST', '/api/v1/slo-policies', { name: 'chat', targets: { ttftMs: 500, tpotMs: 60, attainment: 0.9 } });
  await api.call('POST', '/api/v1/hosts', { name: 'h1', accelerators: [{ kind: 'L40S', count: 1 }], simulated: true });
  await recordHeardOf(api.db, 'h1', []);
  await api.call('POST', '/api/v1/deployments', { name: 'chat', model: MODEL, engine: { kind: 'simulated' }, mode: 'shadow' });
  const [row] = await api.db.select().from(deployments).where(eq(deployments.name, 'chat'));
  await insertRevision(api.db, 'chat', row!.spec);
  await api.db.update(deployments).set({ currentRevision: 1 });
  const stepTime = measuredStepTime(MODEL, 'L40S', 1)!.coefficients;
  await aReplica(api.db, { id: 'on-h1', acceleratorKind: 'L40S', stepTime, kvCacheTokens: 150_000 });
});
afterAll(() => api.close());

const ask = async (query = '') => {
  const { status, body } = await api.call<PilotReport>('GET', `/api/v1/deployments/chat/pilot${query}`);
  expect(status).toBe(200);
  expect(pilotReportSchema.parse(body)).toEqual(body);
  return body;
};

describe('/api/v1/deployments/{name}/pilot', () => {
  it('says so where nothing was observed, and what serves costs', async () => {
    expect(await ask()).toMatchObject({
      ...{ deployment: 'chat', mode: 'shadow', observed: 0, policies: [], latencies: null, predictions: { predicted: 0, withinP90: 0 } },
      ...{ money: { now: { replicas: 1, usdPerHour: 1.55 }, wouldBe: { replicas: 1, usdPerHour: 1.55 } }, proposals: [] },
      notes: expect.arrayContaining([expect.stringMatching(/nothing to replay/)]),
    });
  });

  it('has what was observed of it in the time asked for, both replays, predictions, and what is proposed', async () => {
    const startMs = Date.now() - HOUR_MS / 2;
    const measured = { policy: 'chat', queueMs: 2, ttftMs: 90, tpotMs: 20, e2eMs: 2000, attained: true };
    const rows = Array.from({ length: 50 }, (_, i) =>
      anObservation(`o${i}`, {
        ...measured,
        acceptedAtMs: startMs + i * 300,
        predictedOutputP50: 80,
        predictedOutputP90: i < 45 ? 120 : 90,
      }),
    );
    const foreign = anObservation('other', { ...measured, deployment: 'other', acceptedAtMs: startMs });
    const old = anObservation('old', { ...measured, acceptedAtMs: Date.now() - 3 * HOUR_MS });
    await insertObservations(api.db, [...rows, foreign, old]);
    const outlook = { replicas: 2, capacityRequestsPerSecond: 10, usdPerHour: 3.1, attainment: 0.99 };
    const before = { ...outlook, replicas: 1, usdPerHour: 1.55, attainment: 0.8 };
    await aProposal(api.db, { id: 'p1', state: 'noted', outlook: { deployment: 'chat', requestsPerSecond: 6, before, after: outlook } });
    await aProposal(api.db, { id: 'long-ago', state: 'withdrawn', createdAt: new Date(Date.now() - 5 * HOUR_MS) });

    const report = await ask('?hours=1');
    expect(report).toMatchObject({ observed: 50, counted: 50, predictions: { predicted: 50, withinP90: 45 } });
    expect(report.policies).toEqual([
      {
        ...{ policy: 'chat', targetAttainment: 0.9, requests: 50, observed: 1, now: expect.any(Number), wouldBe: expect.any(Number) },
        ...{ margin: expect.any(Number), suffices: false },
      },
    ]);
    expect(report.latencies?.observed).toMatchObject({ requests: 50, ttftMs: { p50: 90 } });
    expect(report.money).toEqual({ now: { replicas: 1, usdPerHour: 1.55 }, wouldBe: { replicas: 2, usdPerHour: 3.1 } });
    expect(report.proposals.map((p) => p.id)).toEqual(['p1']);
    expect(report.notes).toEqual(expect.arrayContaining([expect.stringMatching(/^chat: 50 requests are too few/)]));
    expect((await ask('?hours=4')).observed).toBe(51);
    expect((await ask('?hours=8')).proposals.map((p) => p.id)).toEqual(['p1', 'long-ago']);
  });

  it('says what became of the requests, which of them are judged, and what was declined and still counts', async () => {
    const acceptedAtMs = Date.now() - 3000;
    const cancelled = { outcome: 'cancelled', attained: null, outputTokens: null, acceptedAtMs } as const;
    await insertObservations(api.db, [
      anObservation('gone', cancelled),
      anObservation('shed', { ...cancelled, outcome: 'shed', attained: false }),
    ]);
    const before = await ask('?hours=1');
    expect(before).toMatchObject({ observed: 52, answered: 50, cancelled: 1, replayed: 52, counted: 51, scheduler: 'uellm' });
    expect(before.policies.reduce((sum, p) => sum + p.requests, 0)).toBe(before.counted);
    const createdAt = new Date(Date.now() - 5 * HOUR_MS);
    await aProposal(api.db, { id: 'no', state: 'declined', createdAt, decidedAt: createdAt, expiresAt: new Date(Date.now() + HOUR_MS) });
    expect((await ask('?hours=1')).proposals.map((p) => p.id)).toEqual(['p1', 'no']);
  });

  it('counts all requests at one moment, whatever comes while it replays', async () => {
    let asked!: Promise<PilotReport>;
    await api.db.transaction(async (tx) => {
      await tx.execute(sql`lock table proposals in access exclusive mode`);
      asked = ask('?hours=1');
      const waiting = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await expect.poll(async () => (await api.db.execute(waiting)).rows.length).toBe(1);
      await insertObservations(api.db, [
        anObservation('late', { policy: 'chat', acceptedAtMs: Date.now() - 60_000, predictedOutputP50: 80, predictedOutputP90: 120 }),
      ]);
    });
    expect(await asked).toMatchObject({ observed: 52, answered: 50, predictions: { predicted: 50 } });
    expect(await ask('?hours=1')).toMatchObject({ observed: 53, answered: 51, predictions: { predicted: 51 } });
  });

  it.each(['hours=0', 'hours=169', 'hours=x', 'days=1'])('refuses %s', async (query) => {
    expect((await api.call('GET', `/api/v1/deployments/chat/pilot?${query}`)).status).toBe(422);
  });

  it('knows no deployment that is not there', async () => {
    expect((await api.call('GET', '/api/v1/deployments/nobody/pilot')).status).toBe(404);
  });
});
