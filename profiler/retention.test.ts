import { asc } from 'drizzle-orm';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { partitionedDays } from '../db/queries/observation-partitions.ts';
import { insertObservations, observationsAfter } from '../db/queries/observations.ts';
import { arrivalHistory } from '../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { type Retention, type RetentionOptions, startRetention } from './retention.ts';

const DAY_MS = 86_400_000;
const TODAY = Date.UTC(2026, 4, 15);
const PATIENCE = { timeout: 10_000, interval: 50 };
const logger = pino({ level: 'silent' });

describe('retention', () => {
  let database: TestDatabase;
  let running: Retention[];
  beforeEach(async () => {
    database = await createTestDatabase();
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((r) => r.close()));
    await database.drop();
  });

  const start = (options: Partial<RetentionOptions>) => {
    const retention = startRetention({ database: database.connection, logger, days: 2, everyMs: 50, retryAfterMs: 50, ...options });
    running.push(retention);
    return retention;
  };
  const has = (...days: number[]) =>
    vi.waitFor(async () => expect(await partitionedDays(database.connection.db)).toEqual(days.map((d) => TODAY + d * DAY_MS)), PATIENCE);

  it('makes days ahead and drops old ones as time goes by', async () => {
    const { db } = database.connection;
    let nowMs = TODAY + 5;
    start({ now: () => nowMs });
    await has(0, 1, 2, 3);
    await insertObservations(db, [anObservation('a', { acceptedAtMs: nowMs }), anObservation('stone-age', { acceptedAtMs: 0 })]);
    nowMs += 3 * DAY_MS;
    await insertObservations(db, [anObservation('b', { acceptedAtMs: nowMs })]);
    await has(1, 2, 3, 4, 5, 6);
    await vi.waitFor(async () => expect((await observationsAfter(db, 0, 10)).map((o) => o.requestId)).toEqual(['b']), PATIENCE);
  });

  it('adds arrivals to the history before their day is dropped', async () => {
    const { db } = database.connection;
    await insertObservations(db, [
      anObservation('old', { acceptedAtMs: TODAY - 5 * DAY_MS }),
      anObservation('new', { acceptedAtMs: TODAY }),
    ]);
    start({ now: () => TODAY + 5 });
    await vi.waitFor(async () => expect((await observationsAfter(db, 0, 10)).map((o) => o.requestId)).toEqual(['new']), PATIENCE);
    const history = await db.select().from(arrivalHistory).orderBy(asc(arrivalHistory.bucketStart));
    expect(history.map((h) => [h.bucketStart.getTime(), h.arrivals])).toEqual([
      [TODAY - 5 * DAY_MS, 1],
      [TODAY, 1],
    ]);
  });

  it('is the work of one process, and another takes over', async () => {
    const first = start({ now: () => TODAY });
    await has(0, 1, 2, 3);
    start({ now: () => TODAY + DAY_MS });
    await new Promise((resolve) => setTimeout(resolve, 400));
    await has(0, 1, 2, 3);
    await first.close();
    await has(0, 1, 2, 3, 4);
  });
});
