import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { aReplica } from '../../test/support/rows.ts';
import { costsSince, policyTraffic } from './cost-reads.ts';
import { insertObservations } from './observations.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const NOW = 1_800_000_000_000;

describe('traffic', () => {
  it('is counted by deployment and policy, tokens and time of what was answered', async () => {
    const { db } = database.connection;
    const at = { acceptedAtMs: NOW, policy: 'p' };
    await insertObservations(db, [
      anObservation('a', { ...at, inputTokens: 500, outputTokens: 100, queueMs: 200, e2eMs: 1200, attained: true }),
      anObservation('b', { ...at, inputTokens: 300, outputTokens: null, queueMs: null, e2eMs: 400, attained: false }),
      anObservation('c', { ...at, outcome: 'shed', outputTokens: null, replicaId: null, queueMs: 9000, attained: false }),
      anObservation('d', { ...at, outcome: 'cancelled', outputTokens: 7, queueMs: 1 }),
      anObservation('e', { ...at, policy: 'fallback', queueMs: 50, e2eMs: 20 }),
      anObservation('f', { ...at, deployment: 'code' }),
      anObservation('g', { ...at, acceptedAtMs: NOW - 3_600_001 }),
    ]);
    expect(await policyTraffic(db, new Date(NOW - 3_600_000))).toEqual([
      {
        ...{ deployment: 'chat', policy: 'fallback', requests: 1, answered: 1, inputTokens: 500, outputTokens: 100, engineMs: 0 },
        ...{ judged: 0, attained: 0 },
      },
      {
        ...{ deployment: 'chat', policy: 'p', requests: 4, answered: 2, inputTokens: 800, outputTokens: 100, engineMs: 1400 },
        ...{ judged: 3, attained: 1 },
      },
      {
        ...{ deployment: 'code', policy: 'p', requests: 1, answered: 1, inputTokens: 500, outputTokens: 100, engineMs: 0 },
        ...{ judged: 0, attained: 0 },
      },
    ]);
  });
});

describe('a deployment', () => {
  it('costs money since its first replica, whether or not that one is there still', async () => {
    const { db } = database.connection;
    await aReplica(db, { id: 'old', state: 'stopped', createdAt: new Date(NOW - 7000), endedAt: new Date(NOW) });
    await aReplica(db, { id: 'new', createdAt: new Date(NOW) });
    expect(await costsSince(db)).toEqual(new Map([['chat', NOW - 7000]]));
  });
});
