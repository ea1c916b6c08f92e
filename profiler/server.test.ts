import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Role } from '../core/domain/access.ts';
import type { FieldIssue } from '../core/domain/errors.ts';
import { KNOWN_CONFIGS, modelShape } from '../core/domain/model-spec.ts';
import type { reportScores } from '../core/profiler/scores.ts';
import type { ShapeProfile } from '../core/profiler/shapes.ts';
import { createKey } from '../db/queries/keys.ts';
import { listSnapshotRecords, upsertStepTimeProfile } from '../db/queries/profiler.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { createProfilerClient } from './client.ts';
import { type Profiler, startProfiler } from './server.ts';

const logger = pino({ level: 'silent' });

/** What the answers hold, one or the other of it. */
interface Answer {
  p50: number;
  p90: number;
  version: number;
  snapshotVersion: number;
  inserted: number;
  detail: string;
  issues: FieldIssue[];
  profiles: ShapeProfile[];
  scores: ReturnType<typeof reportScores>;
}
const answerOf = async (response: Response) => (await response.json()) as Answer;

describe('the profiler service', () => {
  let database: TestDatabase;
  let profiler: Profiler;
  beforeAll(async () => {
    database = await createTestDatabase();
    // The observations are of 2023: kept long enough not to be dropped meanwhile.
    const options = { database: database.connection, address: '127.0.0.1', port: 0, logger, retentionDays: 3650 };
    profiler = await startProfiler(options);
    await vi.waitFor(async () => expect((await get('/readyz')).status).toBe(200), 5000);
  });
  afterAll(async () => {
    await profiler?.close();
    await database?.drop();
  });

  const get = (path: string) => fetch(`${profiler.url}${path}`);
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${profiler.url}${path}`, { method: 'POST', headers, body: text });
    return { status: response.status, type: response.headers.get('content-type'), body: await answerOf(response) };
  };

  it('predicts from the cold start on', async () => {
    const { status, body } = await post('/v1/predict', { model: 'llama-3.1-8b', inputTokens: 800, maxTokens: 200 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ p90: 200, snapshotVersion: 0 });
    expect(body.p50).toBeCloseTo(129, 6);
  });

  it.each([
    [{ inputTokens: 1 }, 'model', 'nothing', 'a string'],
    [{ model: 'm', inputTokens: -1 }, 'inputTokens', '-1', 'a number of at least 0'],
    [{ model: 'm', inputTokens: 1, maxTokens: 0 }, 'maxTokens', '0', 'a number of at least 1'],
    [{ model: 'm', inputTokens: 1, prompt: 'x' }, 'prompt', '"x"', 'no such field (unknown fields are refused)'],
  ])('refuses to predict %o by naming the field', async (request, field, given, allowed) => {
    const { status, type, body } = await post('/v1/predict', request);
    expect(status).toBe(422);
    expect(type).toBe('application/problem+json');
    expect(body).toMatchObject({ type: 'urn:uellm:problem:invalid-input', title: 'Invalid input', status: 422, instance: '/v1/predict' });
    expect(body.issues).toEqual([{ field, given, allowed }]);
  });

  it.each(['{', ''])('says that a body is no JSON: %j', async (text) => {
    const { status, type, body } = await post('/v1/predict', text);
    expect([status, type]).toEqual([400, 'application/problem+json']);
    expect(body).toMatchObject({ type: 'urn:uellm:problem:malformed-request', title: 'Malformed request', instance: '/v1/predict' });
    expect(body.detail).toMatch(/^the request body is not JSON: /);
  });

  it('takes observations once, learns from them, and publishes what it learned', async () => {
    const observations = Array.from({ length: 120 }, (_, i) => anObservation(`o${i}`, { outputTokens: 600 + (i % 7) }));
    expect((await post('/v1/observe', { observations })).body).toEqual({ inserted: 120, duplicates: 0 });
    expect((await post('/v1/observe', { observations })).body).toEqual({ inserted: 0, duplicates: 120 });
    await vi.waitFor(async () => expect(await (await get('/v1/status')).json()).toMatchObject({ version: 1, trainedThroughId: 120 }), 8000);
    const status = await answerOf(await get('/v1/status'));
    expect(status).toMatchObject({ observations: 120, trains: true, database: 'up' });
    const { maeTokens, maeConstantMedianTokens } = status.scores.models['llama-3.1-8b']!;
    expect(maeTokens).toBeLessThan(maeConstantMedianTokens!);
    const { body } = await post('/v1/predict', { model: 'llama-3.1-8b', inputTokens: 500, streamed: true });
    expect(body.snapshotVersion).toBe(1);
    expect(body.p50).toBeGreaterThan(400);
    expect(await (await get('/v1/snapshot')).json()).toMatchObject({ version: 1, trainedThroughId: 120 });
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain('uellm_profiler_observations_total{result="learned"} 120');
    expect(metrics).toContain('uellm_profiler_snapshot_version 1');
  });

  it('refuses an observation with text that is no text, and takes none of its batch', async () => {
    const bad = { ...anObservation('bad'), tenant: 'a\u0000b', outputTokens: 1.5 };
    const { status, body } = await post('/v1/observe', { observations: [anObservation('good'), bad] });
    expect(status).toBe(422);
    expect(body.issues.map((i) => i.field).sort()).toEqual(['observations[1].outputTokens', 'observations[1].tenant']);
    expect((await post('/v1/observe', { observations: [anObservation('half', { model: '\ud800' })] })).status).toBe(422);
    expect((await post('/v1/observe', { observations: [anObservation('good')] })).body.inserted).toBe(1);
  });

  it.each([
    ['e2eMs', 1e300],
    ['queueMs', -1],
    ['predictedOutputP50', 1e-300],
    ['acceptedAtMs', 1e17],
  ])('refuses an observation that no query could reckon with: %s %d', async (field, value) => {
    const { status, body } = await post('/v1/observe', { observations: [anObservation('beyond', { [field]: value })] });
    expect(status).toBe(422);
    expect(body.issues.map((i) => i.field)).toEqual([`observations[0].${field}`]);
  });

  it('profiles a model by name, by config and by shape, calibrated where it was measured', async () => {
    const measured = { d0: 20, d1: 0.01, d2: 4e-5, ra: 0.015, rc: 0.006, rb: 4e-7, o: 1 };
    await upsertStepTimeProfile(database.connection.db, {
      model: 'llama-3.1-8b',
      accelerator: 'H100-SXM',
      tensorParallel: 1,
      source: 'calibrated',
      coefficients: measured,
      errorPercent: 2,
      replicaId: null,
    });
    const { body } = await post('/v1/profile', { model: 'llama-3.1-8b', accelerators: ['h100'] });
    expect(body.profiles[0]).toMatchObject({ accelerator: 'H100-SXM', tensorParallel: 1, source: 'calibrated', coefficients: measured });
    const byConfig = await post('/v1/profile', { model: 'mine', config: KNOWN_CONFIGS['qwen3-32b'], accelerators: ['L40S'] });
    expect(byConfig.body.profiles.map((p) => p.kvCacheTokens > 0)).toEqual([false, true, true, true]);
    const client = createProfilerClient({ url: profiler.url });
    const shape = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
    expect(await client.profileShapes(shape, ['H100-SXM'])).toEqual(body.profiles);
    expect(await client.profileShapes(shape, [])).toEqual([]);
    await expect(client.profileShapes(shape, ['H9000'])).rejects.toThrow('accelerators[0]: got "H9000", allowed is one of T4');
  });

  it.each([
    [{ accelerators: ['T4'] }, 'model'],
    [{ model: 'unknown', accelerators: ['T4'] }, 'config'],
    [{ model: 'llama-3.1-8b', accelerators: ['H9000'] }, 'accelerators[0]'],
  ])('refuses to profile %o', async (request, field) => {
    const { status, body } = await post('/v1/profile', request);
    expect(status).toBe(422);
    expect(body.issues[0]!.field).toBe(field);
  });

  it('recalibrates once for each correction, and predicts by it', async () => {
    const predicted = async (more: object = {}) =>
      (await post('/v1/predict', { model: 'corrected', inputTokens: 500, streamed: true, ...more })).body;
    const before = await predicted();
    const correction = { model: 'corrected', class: null, factor: 2.5, correctionId: '41' };
    const { status, body } = await post('/v1/recalibrate', correction);
    expect(status).toBe(200);
    expect(body).toEqual({ version: before.snapshotVersion + 1 });
    expect((await post('/v1/recalibrate', correction)).body).toEqual(body);
    await vi.waitFor(async () => expect((await predicted()).snapshotVersion).toBe(body.version), 5000);
    const after = await predicted();
    expect(after.p50 / before.p50).toBeCloseTo(2.5);
    expect(after.p90 / before.p90).toBeCloseTo(2.5);
    expect((await predicted({ model: 'another' })).p50).toBeCloseTo(before.p50);
    // Another correction is another snapshot.
    expect((await post('/v1/recalibrate', { ...correction, correctionId: '42' })).body).toEqual({ version: body.version + 1 });
    const { items } = await listSnapshotRecords(database.connection.db, { limit: 10 });
    expect(items.filter(({ reason }) => reason?.endsWith('correction 41'))).toHaveLength(1);
  });

  it.each([
    [{ factor: 0 }, 'factor'],
    [{ factor: 1000 }, 'factor'],
    [{ class: 3 }, 'class'],
    [{ correctionId: '' }, 'correctionId'],
    [{ prompt: 'x' }, 'prompt'],
  ])('refuses to recalibrate with %j', async (more, field) => {
    const { status, body } = await post('/v1/recalibrate', { model: 'm', class: null, factor: 2, correctionId: '1', ...more });
    expect(status).toBe(422);
    expect(new Set(body.issues.map((issue) => issue.field))).toEqual(new Set([field]));
  });

  it('answers with a problem where there is nothing, or too much', async () => {
    expect((await post('/v1/nothing', {})).body).toMatchObject({ status: 404, type: 'urn:uellm:problem:not-found' });
    expect((await post('/v1/predict', 'x'.repeat(9 * 1024 * 1024))).status).toBe(413);
  });

  it('does not answer pages of other origins', async () => {
    const { status, body } = await post('/v1/predict', { model: 'm', inputTokens: 1 }, { origin: 'http://evil.example' });
    expect(status).toBe(403);
    expect(body.detail).toContain('Origin');
  });
});

describe('access', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database?.drop());

  it('asks for the key where there is one, but not for its health', async () => {
    const options = { database: database.connection, address: '127.0.0.1', port: 0, logger };
    const profiler = await startProfiler({ ...options, apiKeys: ['secret'] });
    try {
      expect((await fetch(`${profiler.url}/healthz`)).status).toBe(200);
      expect((await fetch(`${profiler.url}/v1/status`)).status).toBe(401);
      const wrong = await fetch(`${profiler.url}/v1/status`, { headers: { authorization: 'Bearer wrong' } });
      expect(wrong.status).toBe(401);
      expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
      const right = await fetch(`${profiler.url}/v1/status`, { headers: { authorization: 'Bearer secret' } });
      expect(right.status).toBe(200);
      const taken = startProfiler({ ...options, port: Number(new URL(profiler.url).port) });
      await expect(taken).rejects.toThrow('EADDRINUSE');
    } finally {
      await profiler.close();
    }
  });

  it('takes keys of the database by their role, and none of a tenant', async () => {
    const { connection } = database;
    const make = async (role: Role, tenant: string | null = null) =>
      (await createKey(connection.db, { name: null, role, tenant, expiresInSeconds: null }, 'test')).secret;
    const [viewer, operator, theirs] = [await make('viewer'), await make('operator'), await make('admin', 'acme')];
    const profiler = await startProfiler({ database: connection, address: '127.0.0.1', port: 0, logger, apiKeys: ['secret'] });
    const status = async (method: string, path: string, key: string) =>
      (await fetch(profiler.url + path, { method, headers: { authorization: `Bearer ${key}` } })).status;
    try {
      for (const [key, read, write] of [
        [viewer, 200, 403],
        [operator, 200, 400], // without a body
        [theirs, 403, 403],
      ] as const)
        expect([await status('GET', '/v1/status', key), await status('POST', '/v1/predict', key)]).toEqual([read, write]);
      for (let i = 0; i < 10; i++) expect(await status('GET', '/v1/status', `guess${i}`)).toBe(401);
      expect(await status('GET', '/v1/status', 'guess')).toBe(429);
    } finally {
      await profiler.close();
    }
  });

  it('is refused on an address that others reach without a key', async () => {
    const open = startProfiler({ database: database.connection, address: '0.0.0.0', port: 0, logger });
    await expect(open).rejects.toThrow('address: got 0.0.0.0, allowed is a loopback address');
  });
});
