import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertRevision } from '../../../db/queries/deployments.ts';
import { recordHeardOf } from '../../../db/queries/host-states.ts';
import { renewLease } from '../../../db/queries/leases.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { savePlan } from '../../../db/queries/plans.ts';
import { deployments, plans } from '../../../db/schema/index.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { aProposal, aReplica } from '../../../test/support/rows.ts';
import { diagnosisSchema } from '../../schema/diagnosis.ts';
import type { DiagnosisAnswer } from '../../schema/index.ts';

const MODEL = 'llama-3.1-8b';
const demand = { requestsPerSecond: 4, inputTokens: 500, outputTokens: 100 };
const gauges = { stepTimeRatio: 1, expectedKvUsage: 0.5, preemptions: 0, running: 8, waiting: 0 };

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: MODEL, source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  await api.call('POST', '/api/v1/hosts', { name: 'h1', accelerators: [{ kind: 'L40S', count: 8, usdPerHour: 2 }], simulated: true });
  await recordHeardOf(api.db, 'h1', []);
  await api.call('POST', '/api/v1/slo-policies', { name: 'chat', targets: { tpotMs: 60, attainment: 0.9 } });
  for (const name of ['chat', 'code', 'unstarted']) {
    await api.call('POST', '/api/v1/deployments', { name, model: MODEL, engine: { kind: 'simulated' }, demand });
    if (name === 'unstarted') continue;
    const [row] = await api.db.select().from(deployments).where(eq(deployments.name, name));
    await insertRevision(api.db, name, row!.spec);
    await api.db.update(deployments).set({ currentRevision: 1 }).where(eq(deployments.name, name));
  }
  const createdAt = new Date(Date.now() - 2 * 3_600_000);
  const l40s = { acceleratorKind: 'L40S', createdAt };
  await aReplica(api.db, { ...l40s, id: 'r1', accelerators: [0, 1, 2, 3], tensorParallel: 4 });
  await aReplica(api.db, { ...l40s, id: 'r2', accelerators: [4], maxInFlight: 64, maxInFlightShare: 0.5 });
  await aReplica(api.db, { ...l40s, id: 'r3', accelerators: [5], deployment: 'code' });
  await aReplica(api.db, { ...l40s, id: 'r4', accelerators: [6], state: 'warming' });
  const acceptedAtMs = Date.now() - 60_000;
  const answered = { acceptedAtMs, inputTokens: 1000, outputTokens: 200, queueMs: 100, ttftMs: 600, e2eMs: 5100 };
  await insertObservations(api.db, [
    ...Array.from({ length: 600 }, (_, i) => anObservation(`a${i}`, { ...answered, replicaId: 'r1', attained: i >= 60 })),
    ...Array.from({ length: 60 }, (_, i) => anObservation(`b${i}`, { ...answered, replicaId: 'r2', attained: true })),
    anObservation('shed', { acceptedAtMs, replicaId: null, outcome: 'shed', outputTokens: null }),
  ]);
  await renewLease(api.db, {
    ...{ gatewayId: 'g1', address: 'http://127.0.0.1:1', routingVersion: 1, unhealthy: {} },
    inFlight: { r1: 10, r2: 32 },
    gauges: { r1: { ...gauges, kvUsage: 0.2 }, r2: { ...gauges, kvUsage: 0.97, preemptions: 4 } },
  });
});
afterAll(() => api.close());

const diagnosis = async (query = '') => (await api.call<DiagnosisAnswer>('GET', `/api/v1/diagnosis${query}`)).body;

describe('/api/v1/diagnosis', () => {
  it('says what binds each ready replica, from what was observed and what gateways tell', async () => {
    const body = await diagnosis();
    expect(diagnosisSchema.parse(body)).toEqual(body);
    expect(body).toMatchObject({ windowSeconds: 300, unknown: [] });
    const [r1, r2, r3] = body.replicas;
    expect(r1).toMatchObject({
      ...{ replicaId: 'r1', deployment: 'chat', binds: 'link', observedSeconds: 300, attainment: 0.9, targetAttainment: 0.9 },
      demand: { requestsPerSecond: 2, inputTokens: 1000, outputTokens: 200 },
      utilisation: { 'kv-cache': 0.2, queue: 10 / 256 },
      limit: { binds: 'link' },
    });
    // 600 requests of 5 s in the engine, 4.5 of them after the first token, in 300 s.
    expect(r1!.batch).toBeCloseTo(9 / (1 - Math.exp(-10)), 6);
    expect(r2).toMatchObject({
      replicaId: 'r2',
      binds: 'kv-cache',
      why: 'KV cache 97 % full, 4 evicted from it lately; 32 of 32 requests admitted',
    });
    expect(r3).toMatchObject({ replicaId: 'r3', deployment: 'code', binds: 'idle', why: 'nothing came', demand: null, attainment: null });
    expect(body.replicas).toHaveLength(3);
  });

  it('advises each deployment by shape, at what it answers, with money', async () => {
    const { advice } = await diagnosis('?deployment=chat');
    expect(advice.map((a) => [a.deployment, a.tensorParallel, a.replicas, a.allReplicas, a.now.usdPerHour])).toEqual([
      ['chat', 4, 1, 2, 10],
      ['chat', 1, 1, 2, 10],
    ]);
    expect(advice[0]!.demand.requestsPerSecond).toBeCloseTo(2.2, 9);
    const [, , wide, narrow] = advice[0]!.options;
    expect(wide).toMatchObject({ change: 'widen', verdict: 'loses', accelerators: 4, outcome: { usdPerHour: 18 } });
    expect(narrow).toMatchObject({ change: 'narrow', verdict: 'saves', accelerators: -2, outcome: { usdPerHour: 6 } });
  });

  it('says what making good of lost replicas waits for, until something of it is placed', async () => {
    const waiting = [
      { kind: 'waiting', on: 'accelerators', subject: 'code', message: 'no L40S is free', nearest: 'fits with 1 more L40S' },
    ];
    const report = { summary: '', reasons: [], waiting, costUsdPerHourBefore: null, costUsdPerHourAfter: null } as never;
    await savePlan(api.db, { id: 'p1', purpose: 'replace', subject: 'cluster', basedOn: null, moves: [], report }, 'refused');
    const missing = [{ subject: 'code', reason: 'no L40S is free; fits with 1 more L40S', since: expect.any(String) }];
    const body = await diagnosis();
    expect(body.missing).toEqual(missing);
    expect(diagnosisSchema.parse(body)).toEqual(body);
    expect((await diagnosis('?deployment=code')).missing).toEqual(missing);
    expect((await diagnosis('?deployment=chat')).missing).toEqual([]);
    const moves = [{ kind: 'retire' as const, replicaId: 'r9', deployment: 'code', host: 'h1', reason: '' }];
    await api.db
      .insert(plans)
      .values({ id: 'p2', purpose: 'rebalance', subject: 'cluster', moves, report, state: 'applied', appliedAt: new Date() });
    expect((await diagnosis()).missing).toEqual([]);
  });

  it('says of what is not proposed who declined it, until another waits', async () => {
    const decided = { state: 'declined', decidedBy: 'ann', decidedAt: new Date(1e12), outcome: 'too dear' } as const;
    const hour = 3_600_000;
    await aProposal(api.db, { ...decided, id: 'd0', createdAt: new Date(Date.now() - 2 * hour), expiresAt: new Date(Date.now() + hour) });
    await aProposal(api.db, { ...decided, id: 'd1', summary: 'chat on h2', expiresAt: new Date(Date.now() + hour) });
    await aProposal(api.db, { ...decided, id: 'd2', deployment: 'code', expiresAt: new Date(Date.now() - 1) });
    const body = await diagnosis();
    expect(body.declined).toEqual([
      {
        ...{ deployment: 'chat', proposalId: 'd1' },
        reason: expect.stringMatching(
          /^chat on h2: declined by ann at 2001-09-09T01:46:40\.000Z: too dear; the same is proposed again after 20/,
        ),
      },
    ]);
    expect(diagnosisSchema.parse(body)).toEqual(body);
    expect((await diagnosis('?deployment=code')).declined).toEqual([]);
    await aProposal(api.db, { id: 'd3' });
    expect((await diagnosis('?deployment=chat')).declined).toEqual([]);
  });

  it('looks at as much time as is asked for, and at one deployment', async () => {
    const { replicas } = await diagnosis('?deployment=chat&windowSeconds=120');
    expect(replicas.map((r) => [r.replicaId, r.demand?.requestsPerSecond])).toEqual([
      ['r1', 5],
      ['r2', 0.5],
    ]);
    expect((await diagnosis('?windowSeconds=30')).replicas.map((r) => r.demand)).toEqual([null, null, null]);
    expect(await diagnosis('?deployment=unstarted')).toMatchObject({ replicas: [], advice: [], unknown: [] });
    expect(await api.call('GET', '/api/v1/diagnosis?deployment=nobody')).toMatchObject({ status: 404 });
  });

  it.each(['windowSeconds=0', 'windowSeconds=86401', 'window=1'])('refuses %s', async (query) => {
    expect(await api.call('GET', `/api/v1/diagnosis?${query}`)).toMatchObject({ status: 422, body: { issues: [expect.anything()] } });
  });
});
