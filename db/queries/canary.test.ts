import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Observation } from '../../core/domain/observation.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { replicas } from '../schema/index.ts';
import { canaryEvidence } from './canary.ts';
import { insertObservations } from './observations.ts';
import { arrivalsByDeployment } from './planning-reads.ts';

let database: TestDatabase;
const at = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database.connection;
  const replica = (id: string, revision: number, acceleratorKind: string) => ({
    ...{
      id,
      revision,
      acceleratorKind,
      deployment: 'd',
      model: 'm',
      host: 'h',
      accelerators: [0],
      tensorParallel: 1,
      engine: 'simulated' as const,
    },
    ...{ state: 'ready' as const, simulated: true, capacityRequestsPerSecond: 2 },
  });
  await db.insert(replicas).values([replica('new', 2, 'L4'), replica('old-1', 1, 'L4'), replica('old-2', 1, 'H100-SXM')]);
  const seen = (id: string, replicaId: string, second: number, fields: Partial<Observation> = {}) =>
    anObservation(id, {
      ...{ deployment: 'd', revision: replicaId === 'new' ? 2 : 1, replicaId, acceptedAtMs: at(second), attained: true },
      ...{ ttftMs: 130, queueMs: 30, tpotMs: 20, inputTokens: 100, outputTokens: 10, ...fields },
    });
  await insertObservations(db, [
    seen('a', 'new', 10, { ttftMs: 330 }),
    seen('b', 'new', 11, { outcome: 'failed', attained: false, inputTokens: 300, outputTokens: null, ttftMs: null, tpotMs: null }),
    seen('c', 'old-1', 31, { attained: false, inputTokens: 50, outputTokens: 5 }),
    seen('on faster accelerators', 'old-2', 31, { ttftMs: 31 }),
    seen('cancelled', 'new', 32, { outcome: 'cancelled', attained: null }),
    seen('before', 'old-1', 1, { outcome: 'failed', attained: false }),
    seen('elsewhere', 'old-1', 10, { deployment: 'other', outcome: 'failed' }),
  ]);
});
afterAll(() => database.drop());

const window = { deployment: 'd', revision: 2, sinceMs: at(5), share: 0.5 };

describe('the evidence of a canary', () => {
  it('sets the new revision beside all others, in the same time, with what each was sent for what it can serve', async () => {
    expect(await canaryEvidence(database.connection.db, window)).toMatchObject({
      canary: { requests: 2, failed: 1, attained: 1, started: 3, load: 1.5 },
      stable: { requests: 2, failed: 0, attained: 1, started: 2, load: 0.5 },
      share: 0.5,
    });
  });

  it('compares latencies on the same accelerators, from the release to the engine', async () => {
    const { quantiles } = await canaryEvidence(database.connection.db, window);
    expect(quantiles).toEqual([
      ...[0.5, 0.9].map((quantile) => ({
        ...{ metric: 'TTFT', quantile },
        canary: { requests: 1, above: quantile === 0.5 ? 1 : 0, ms: 300 },
        stable: { requests: 1, above: 0, ms: 100 },
      })),
      ...[0.5, 0.9].map((quantile) => ({
        ...{ metric: 'TPOT', quantile },
        canary: { requests: 1, above: 0, ms: 20 },
        stable: { requests: 1, above: 0, ms: 20 },
      })),
    ]);
  });

  it('takes what served before from its own time', async () => {
    const before = { sinceMs: at(0), untilMs: at(5) };
    expect(await canaryEvidence(database.connection.db, { ...window, before, share: null })).toMatchObject({
      canary: { requests: 2, failed: 1 },
      stable: { requests: 1, failed: 1, started: 1 },
    });
  });

  it('is empty where nothing was observed', async () => {
    const none = { requests: 0, failed: 0, attained: 0, started: 0, load: 0 };
    expect(await canaryEvidence(database.connection.db, { ...window, deployment: 'nobody' })).toEqual({
      ...{ canary: none, stable: none, share: 0.5, quantiles: [] },
    });
  });
});

describe('arrivals', () => {
  it('are counted in buckets whatever became of them', async () => {
    const buckets = await arrivalsByDeployment(database.connection.db, new Date(window.sinceMs), 30);
    expect(buckets.filter((b) => b.deployment === 'd').map((b) => [b.bucketStartMs % 60_000, b.arrivals])).toEqual([
      [0, 2],
      [30_000, 3],
    ]);
    expect(buckets.find((b) => b.deployment === 'd')).toMatchObject({
      input: { requests: 2, tokens: 400 },
      output: { requests: 1, tokens: 10 },
    });
  });
});
