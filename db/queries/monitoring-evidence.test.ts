import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { aReplica } from '../../test/support/rows.ts';
import { observations, replicas, revisions } from '../schema/index.ts';
import { answerFigures, replicaAttainment, routedReplicas } from './monitoring-evidence.ts';
import { insertObservations } from './observations.ts';

let database: TestDatabase;
const db = () => database.connection.db;
const toMs = 1_700_000_000_000;
const window = { from: new Date(toMs - 30_000), to: new Date(toMs) };

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  for (const table of [observations, replicas, revisions]) await db().delete(table);
});

let sequence = 0;
/** An answer of `outputTokens` to a prediction of 100 and 200 that ended so long before the end of the window. */
const ended = (agoMs: number, tookMs: number, fields: Parameters<typeof anObservation>[1] = {}) =>
  anObservation(`q${sequence++}`, {
    ...{ acceptedAtMs: toMs - agoMs - tookMs, e2eMs: tookMs, outputTokens: 100, attained: true },
    ...{ predictedOutputP50: 100, predictedOutputP90: 200, ...fields },
  });

describe('the figures of answers', () => {
  it('are of what ended in the window, however long it took', async () => {
    await insertObservations(db(), [
      ended(5000, 60_000, { outputTokens: 1000 }),
      ended(5000, 1000, { outputTokens: 150, attained: false }),
      ended(40_000, 1000, { outputTokens: 9 }),
      ended(29_000, 0, { outcome: 'shed', outputTokens: null, replicaId: null, e2eMs: null, attained: false }),
      ended(1000, 500, { outcome: 'cancelled', attained: null }),
      ended(1000, 500, { class: 'batch', outputTokens: 20 }),
    ]);
    expect(await answerFigures(db(), window)).toEqual([
      { model: 'llama-3.1-8b', class: 'batch', answers: 1, aboveP50: 0, aboveP90: 0, medianRatio: 0.2, judged: 1, attained: 1 },
      { model: 'llama-3.1-8b', class: 'standard', answers: 2, aboveP50: 1, aboveP90: 0.5, medianRatio: 5.75, judged: 3, attained: 1 },
    ]);
    expect(await replicaAttainment(db(), window)).toEqual(new Map([['chat-1', { judged: 3, attained: 2 }]]));
  });

  it('leave out lengths that a limit decided, nobody predicted or nothing is learned from, and keep their verdicts', async () => {
    await insertObservations(db(), [
      ended(1000, 500, { maxTokens: 100 }),
      ended(1000, 500, { maxTokens: 200 }),
      ended(1000, 500, { maxTokens: 300, outputTokens: 300 }),
      ended(1000, 500, { predictedOutputP50: null, predictedOutputP90: null }),
      ended(1000, 500, { predictedOutputP50: 0, predictedOutputP90: 0 }),
      ended(1000, 500, { featureKey: 'off', outputTokens: 9000 }),
    ]);
    expect(await answerFigures(db(), window)).toMatchObject([{ answers: 1, aboveP90: 1, medianRatio: 3, judged: 6 }]);
  });
});

describe('the replicas that are looked at', () => {
  it('are those with traffic, also while their engine starts again, with what they were started with', async () => {
    await aReplica(db(), { id: 'serves' });
    await aReplica(db(), { id: 'restarts', state: 'starting', generation: 2, revision: 2, maxInFlight: 64 });
    await aReplica(db(), { id: 'idle', weight: 0 });
    await aReplica(db(), { id: 'ended', endedAt: new Date() });
    const spec = (args: Record<string, string | number>) =>
      deploymentSpecSchema.parse({ name: 'chat', model: 'llama-3.1-8b', engine: { kind: 'vllm', args } });
    await db()
      .insert(revisions)
      .values([
        { deployment: 'chat', number: 1, spec: spec({ 'gpu-memory-utilization': 'most' }) },
        { deployment: 'chat', number: 2, spec: spec({ 'gpu-memory-utilization': 0.8 }) },
      ]);
    expect(await routedReplicas(db())).toMatchObject([
      { replicaId: 'restarts', generation: 2, memoryUtilisation: 0.8, maxSequences: 64 },
      { replicaId: 'serves', generation: 1, memoryUtilisation: null, maxSequences: 256 },
    ]);
  });
});
