import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { learn } from '../../../core/profiler/learn.ts';
import { reportScores } from '../../../core/profiler/scores.ts';
import { COLD_START_SNAPSHOT } from '../../../core/profiler/snapshot.ts';
import { insertObservations } from '../../../db/queries/observations.ts';
import { latestSnapshot, publishSnapshot } from '../../../db/queries/profiler.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { anObservation } from '../../../test/support/observations.ts';
import { profilerCalibrationSchema, profilerSnapshotResourceSchema, profilerStatusSchema } from '../../schema/profiler.ts';

const PATH = '/api/v1/profiler';

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});
afterEach(() => api.close());

const learned = (version: number, answers: number) => {
  const batch = Array.from({ length: answers }, (_, i) => ({ ...anObservation(`o${i}`), id: i + 1 }));
  return { ...learn(COLD_START_SNAPSHOT, batch).snapshot, version };
};
const publish = async (version: number, answers: number, reason = 'learned') => {
  const snapshot = learned(version, answers);
  await publishSnapshot(api.db, snapshot, reportScores(snapshot), { reason, basedOn: version - 1 || null });
};

describe('/profiler/status', () => {
  it('says so where nothing was published', async () => {
    await insertObservations(api.db, [anObservation('a')]);
    expect((await api.call('GET', `${PATH}/status`)).body).toEqual({ inForce: null, waiting: 1, history: [] });
  });

  it('has the scores of the snapshot in force, and what is still to be learned from', async () => {
    await insertObservations(
      api.db,
      Array.from({ length: 5 }, (_, i) => anObservation(`o${i}`)),
    );
    await publish(1, 2);
    await publish(2, 3, 'recalibrated');
    const { body } = await api.call('GET', `${PATH}/status`);
    const status = profilerStatusSchema.parse(body);
    expect(body).toEqual(status);
    expect(status).toMatchObject({
      waiting: 2,
      inForce: { version: 2, reason: 'recalibrated', basedOn: 1, trainedThroughId: 3, scores: { all: { observations: 3 } } },
      history: [{ version: 2 }, { version: 1, reason: 'learned', basedOn: null }],
    });
    expect(status.inForce?.scores?.models['llama-3.1-8b']?.maeTokens).toBeGreaterThan(0);
    expect(JSON.stringify(body)).not.toContain('weights');
  });

  it('shows a snapshot of another release without scores', async () => {
    await api.db.execute(sql`insert into profiler_snapshots values (1, '{"layout": 99}', '{"accuracy": 1}', 0)`);
    expect((await api.call('GET', `${PATH}/status`)).body).toMatchObject({ inForce: { version: 1, reason: '', scores: null } });
  });
});

describe('/profiler/calibration', () => {
  it('has the share of answers below each predicted quantile, by model', async () => {
    const predicted = { predictedOutputP50: 100, predictedOutputP90: 200, acceptedAtMs: Date.now() - 1000 };
    await insertObservations(
      api.db,
      [90, 110, 190, 500].map((outputTokens, i) => anObservation(`o${i}`, { ...predicted, outputTokens })),
    );
    const { body } = await api.call<{ models: { points: { quantile: number; share: number }[] }[] }>('GET', `${PATH}/calibration`);
    expect(profilerCalibrationSchema.parse(body)).toEqual(body);
    expect(body).toMatchObject({ windowSeconds: 86_400, models: [{ model: 'llama-3.1-8b', answers: 4, limited: 0 }] });
    const shares = new Map(body.models[0]!.points.map(({ quantile, share }) => [quantile, share]));
    expect([shares.get(0.1), shares.get(0.5), shares.get(0.9)]).toEqual([0, 0.25, 0.75]);
    expect((await api.call('GET', `${PATH}/calibration?windowSeconds=0`)).status).toBe(422);
  });
});

describe('/profiler/snapshots', () => {
  it('are listed newest first by the page, and read one by one', async () => {
    for (const version of [1, 2, 3]) await publish(version, version);
    const first = await api.call<{ items: { version: number }[]; next: string }>('GET', `${PATH}/snapshots?limit=2`);
    expect(first.body.items.map(({ version }) => version)).toEqual([3, 2]);
    const second = await api.call<{ items: { version: number }[] }>('GET', `${PATH}/snapshots?limit=2&cursor=${first.body.next}`);
    expect(second.body).toMatchObject({ items: [{ version: 1 }] });
    const one = await api.call('GET', `${PATH}/snapshots/2`);
    expect(profilerSnapshotResourceSchema.parse(one.body)).toEqual(first.body.items[1]);
    expect((await api.call('GET', `${PATH}/snapshots/9`)).status).toBe(404);
    expect((await api.call('GET', `${PATH}/snapshots/latest`)).status).toBe(404);
  });
});

describe('/profiler/rollback', () => {
  it('publishes the old one as a new version, audited', async () => {
    for (const version of [1, 2, 3]) await publish(version, version * 10);
    const answer = await api.call('POST', `${PATH}/rollback`, { toVersion: 1 });
    expect(answer).toMatchObject({
      status: 200,
      body: { version: 4, reason: 'rolled back to version 1', basedOn: 1, trainedThroughId: 30, scores: { all: { observations: 10 } } },
    });
    expect(await latestSnapshot(api.db)).toEqual({
      ...{ ...learned(1, 10), version: 4, trainedThroughId: 30 },
      forgotten: [{ after: 10, through: 30 }],
    });
    expect((await api.call('GET', '/api/v1/audit?kind=profiler')).body).toMatchObject({
      items: [{ actor: 'admin', action: 'rollback', name: 'snapshots', before: { version: 3 }, after: { version: 4, toVersion: 1 } }],
    });
  });

  it('refuses what is not there, in force already, or of another layout, and changes nothing', async () => {
    await publish(1, 5);
    await api.db.execute(sql`insert into profiler_snapshots values (2, '{"layout": 99}', '{}', 5)`);
    await publish(3, 5);
    const rollback = (body: unknown) => api.call('POST', `${PATH}/rollback`, body);
    expect(await rollback({ toVersion: 7 })).toMatchObject({ status: 404, body: { detail: "there is no profiler snapshot named '7'" } });
    expect(await rollback({ toVersion: 3 })).toMatchObject({ status: 409 });
    expect(await rollback({ toVersion: 2 })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('layout of another release') },
    });
    expect(await rollback({ toVersion: 'first' })).toMatchObject({ status: 422, body: { issues: [{ field: 'toVersion' }] } });
    expect(await rollback({})).toMatchObject({ status: 422 });
    expect(await rollback({ toVersion: 1, force: true })).toMatchObject({ status: 422 });
    expect((await api.call('GET', `${PATH}/status`)).body).toMatchObject({ inForce: { version: 3 } });
    expect((await api.call('GET', '/api/v1/audit?kind=profiler')).body).toEqual({ items: [] });
  });
});
