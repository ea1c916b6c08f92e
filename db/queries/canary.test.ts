import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { compareRevisions } from './canary.ts';
import { insertObservations } from './observations.ts';
import { arrivalsByDeployment } from './planning-reads.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const at = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);
  await insertObservations(database.connection.db, [
    anObservation('a', {
      deployment: 'd',
      revision: 2,
      outcome: 'ok',
      attained: true,
      acceptedAtMs: at(10),
      inputTokens: 100,
      outputTokens: 10,
    }),
    anObservation('b', {
      deployment: 'd',
      revision: 2,
      outcome: 'failed',
      attained: false,
      acceptedAtMs: at(11),
      inputTokens: 300,
      outputTokens: null,
    }),
    anObservation('c', {
      deployment: 'd',
      revision: 1,
      outcome: 'ok',
      attained: false,
      acceptedAtMs: at(31),
      inputTokens: 50,
      outputTokens: 5,
    }),
    anObservation('cancelled', { deployment: 'd', revision: 2, outcome: 'cancelled', attained: null, acceptedAtMs: at(32) }),
    anObservation('before', { deployment: 'd', revision: 1, outcome: 'failed', attained: false, acceptedAtMs: at(1) }),
    anObservation('elsewhere', { deployment: 'other', revision: 2, outcome: 'failed', attained: false, acceptedAtMs: at(10) }),
  ]);
});
afterAll(() => database.drop());

const since = new Date(Date.UTC(2026, 0, 1, 0, 0, 5));

describe('the evidence of a canary', () => {
  it('sets the new revision beside all others, without what clients cancelled', async () => {
    expect(await compareRevisions(database.connection.db, 'd', 2, since)).toEqual({
      canary: { requests: 2, failed: 1, attained: 1 },
      stable: { requests: 1, failed: 0, attained: 0 },
    });
  });

  it('is empty where nothing was observed', async () => {
    const none = { requests: 0, failed: 0, attained: 0 };
    expect(await compareRevisions(database.connection.db, 'nobody', 2, since)).toEqual({ canary: none, stable: none });
  });
});

describe('arrivals', () => {
  it('are counted in buckets whatever became of them', async () => {
    const buckets = await arrivalsByDeployment(database.connection.db, since, 30);
    expect(buckets.filter((b) => b.deployment === 'd').map((b) => [b.bucketStartMs % 60_000, b.arrivals])).toEqual([
      [0, 2],
      [30_000, 2],
    ]);
    expect(buckets.find((b) => b.deployment === 'd')).toMatchObject({
      input: { requests: 2, tokens: 400 },
      output: { requests: 1, tokens: 10 },
    });
  });
});
