import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertObservations } from '../db/queries/observations.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { createCanaryActivities } from './canary.ts';

let database: TestDatabase;
/** Long ago for the watch: it looks as often as the test lets the clock go. */
let nowMs = Date.now();

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function watch(deployment: string, sort: 'during' | 'due', forMs: number) {
  const { watchCanary } = createCanaryActivities({ db: database.connection.db, now: () => (nowMs += 1000) } as never);
  const environment = new MockActivityEnvironment({ scheduledTimestampMs: nowMs });
  const window = { deployment, revision: 2, sinceMs: nowMs - 60_000, share: 0.1 };
  return environment.run(watchCanary, { ...window, sort, lookingSinceMs: nowMs - 60_000, forMs });
}

/** So many requests of each revision a few seconds ago, of which those of the new one fail. */
async function observe(deployment: string, fails: boolean): Promise<void> {
  const of = (revision: number, count: number) =>
    Array.from({ length: count }, (_, i) =>
      anObservation(`${deployment}-${revision}-${i}`, {
        ...{ deployment, revision, replicaId: null, acceptedAtMs: nowMs - 5000, attained: !(fails && revision === 2) },
        outcome: fails && revision === 2 ? 'failed' : 'ok',
      }),
    );
  await insertObservations(database.connection.db, [...of(1, 540), ...of(2, 60)]);
}

describe('a canary that is watched', () => {
  it('and fails is bad at the first look, long before the time is over', async () => {
    await observe('fails', true);
    expect(await watch('fails', 'during', 3_600_000)).toMatchObject({
      verdict: 'bad',
      why: expect.stringMatching(/100\.0 % of 60 requests failed/),
    });
  });

  it('and is good is watched until its time is over', async () => {
    await observe('good', false);
    const before = nowMs;
    expect(await watch('good', 'during', 20_000)).toMatchObject({ verdict: 'good' });
    expect(nowMs - before).toBeGreaterThanOrEqual(20_000);
    expect(await watch('good', 'due', 3_600_000)).toMatchObject({ verdict: 'good' });
  });

  it('and has no requests is unsure to the end', async () => {
    expect(await watch('nobody', 'due', 5000)).toMatchObject({ verdict: 'unsure' });
  });
});
