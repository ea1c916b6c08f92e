import { asc } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deploymentSpecSchema } from '../../core/domain/deployment.ts';
import type { Observation } from '../../core/domain/observation.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { arrivalHistory, arrivalHistoryProgress, deployments, gatewayLeases, observations } from '../schema/index.ts';
import { arrivalHistoryAround, recordArrivals } from './arrival-history.ts';
import { createPartitions, dropPartitions } from './observation-partitions.ts';
import { insertObservations } from './observations.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = Date.UTC(2026, 4, 15, 12);

let database: TestDatabase;
const db = () => database.connection.db;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  for (const table of [arrivalHistory, arrivalHistoryProgress, observations, gatewayLeases, deployments]) await db().delete(table);
  await serves('chat', 'code');
});

async function serves(...names: string[]): Promise<void> {
  for (const name of names) {
    const spec = deploymentSpecSchema.parse({ name, model: 'm', engine: { kind: 'vllm' } });
    await db().insert(deployments).values({ name, spec });
  }
}
let sequence = 0;
const arrive = (atMs: number, count = 1, fields: Partial<Observation> = {}) =>
  insertObservations(
    db(),
    Array.from({ length: count }, () => anObservation(`q${sequence++}`, { acceptedAtMs: atMs, ...fields })),
  );
const holdLease = (gatewayId: string, fromMs: number, toMs: number) =>
  db()
    .insert(gatewayLeases)
    .values({
      ...{ gatewayId, address: 'http://127.0.0.1:1', routingVersion: 1, inFlight: {} },
      ...{ startedAt: new Date(fromMs), renewedAt: new Date(toMs) },
    });
/** `chat 11:45 3` */
async function history(): Promise<string[]> {
  const rows = await db().select().from(arrivalHistory).orderBy(asc(arrivalHistory.deployment), asc(arrivalHistory.bucketStart));
  return rows.map((r) => `${r.deployment} ${r.bucketStart.toISOString().slice(11, 16)} ${r.arrivals}`);
}

describe('recordArrivals', () => {
  it('adds each observation once, to the quarter of an hour in which it was accepted', async () => {
    await arrive(NOON + 2 * MINUTE, 3);
    await arrive(NOON + 14.99 * MINUTE, 2);
    await arrive(NOON + 15 * MINUTE, 1, { deployment: 'code' });
    expect(await recordArrivals(db(), NOON + 20 * MINUTE)).toBe(6);
    expect(await history()).toEqual(['chat 12:00 5', 'code 12:15 1']);
    expect(await recordArrivals(db(), NOON + 20 * MINUTE)).toBe(0);
    await arrive(NOON + 16 * MINUTE, 4, { deployment: 'code' });
    expect(await recordArrivals(db(), NOON + 20 * MINUTE)).toBe(4);
    expect(await history()).toEqual(['chat 12:00 5', 'code 12:15 5']);
  });

  it('adds what a gateway delivers late to its own time', async () => {
    await holdLease('g1', NOON - DAY, NOON + DAY);
    await arrive(NOON - 3 * HOUR, 2);
    await arrive(NOON, 1);
    await recordArrivals(db(), NOON + HOUR);
    await arrive(NOON - 2 * HOUR, 7);
    await recordArrivals(db(), NOON + HOUR);
    expect(await history()).toContain('chat 10:00 7');
  });

  it('adds up lengths, of answers where they are known', async () => {
    await arrive(NOON, 2, { inputTokens: 100, outputTokens: 10 });
    await arrive(NOON, 1, { inputTokens: 400, outputTokens: null, outcome: 'shed' });
    await recordArrivals(db(), NOON + HOUR);
    expect(await db().select().from(arrivalHistory)).toMatchObject([
      { arrivals: 3, inputTokens: 600, inputSquares: 180_000, answers: 2, outputTokens: 20, outputSquares: 200 },
    ]);
  });

  it('writes zeros where somebody would have told, from the first arrival on', async () => {
    await holdLease('g1', NOON - DAY, NOON + DAY);
    await arrive(NOON + 16 * MINUTE);
    await recordArrivals(db(), NOON + 61.5 * MINUTE);
    expect(await history()).toEqual(['chat 12:15 1', 'chat 12:30 0', 'chat 12:45 0']);
    await recordArrivals(db(), NOON + 77 * MINUTE);
    expect((await history()).at(-1)).toBe('chat 13:00 0');
  });

  it('leaves unknown what nobody would have told of', async () => {
    await arrive(NOON);
    await arrive(NOON + 46 * MINUTE, 1, { deployment: 'code' });
    await recordArrivals(db(), NOON + 3 * HOUR);
    // That others had arrivals at 12:45 says that chat had none; of the rest nothing is known.
    expect(await history()).toEqual(['chat 12:00 1', 'chat 12:45 0', 'code 12:45 1']);
    // A gateway that began within a bucket, or fell silent in it, did not see all of it.
    await db().delete(arrivalHistoryProgress);
    await db().delete(observations);
    await holdLease('g1', NOON + 70 * MINUTE, NOON + 125 * MINUTE);
    await recordArrivals(db(), NOON + 3 * HOUR);
    expect((await history()).filter((row) => row.startsWith('chat'))).toEqual([
      'chat 12:00 1',
      'chat 12:45 0',
      'chat 13:15 0',
      'chat 13:30 0',
      'chat 13:45 0',
    ]);
  });

  it('writes no more zeros of a deployment that is gone', async () => {
    await holdLease('g1', NOON - DAY, NOON + DAY);
    await arrive(NOON, 1, { deployment: 'deleted' });
    await recordArrivals(db(), NOON + HOUR);
    expect(await history()).toEqual(['deleted 12:00 1']);
  });

  it('outlives the observations, for as long as forecasts look back', async () => {
    const policy = { days: 1 };
    await arrive(NOON, 5);
    await createPartitions(db(), NOON, 1, policy);
    await recordArrivals(db(), NOON + HOUR);
    expect(await dropPartitions(db(), NOON + 10 * DAY, policy)).not.toEqual([]);
    expect(await db().select().from(observations)).toEqual([]);
    await recordArrivals(db(), NOON + 28 * DAY);
    expect(await history()).toEqual(['chat 12:00 5']);
    await recordArrivals(db(), NOON + 30 * DAY);
    expect(await history()).toEqual([]);
  });

  it('has no bucket for clocks that are far off', async () => {
    await arrive(0);
    await arrive(NOON + 2 * DAY);
    await arrive(NOON);
    expect(await recordArrivals(db(), NOON + HOUR)).toBe(1);
    expect(await history()).toEqual(['chat 12:00 1']);
  });

  it('counts nothing twice where two do it at once while gateways deliver', async () => {
    const deliver = async () => {
      for (let i = 0; i < 20; i++) await arrive(NOON + i * MINUTE, 50);
    };
    const record = async () => {
      for (let i = 0; i < 10; i++) await recordArrivals(db(), NOON + HOUR);
    };
    await Promise.all([deliver(), record(), record()]);
    await recordArrivals(db(), NOON + HOUR);
    expect(await history()).toEqual(['chat 12:00 750', 'chat 12:15 250']);
  });
});

describe('arrivalHistoryAround', () => {
  it('has the same times of the last four weeks, and the last hours', async () => {
    const times = [
      -29 * DAY,
      -28 * DAY,
      -DAY - 45 * MINUTE,
      -DAY - 46 * MINUTE,
      -DAY + 29 * MINUTE,
      -DAY + 31 * MINUTE,
      -2 * HOUR,
      -HOUR,
      0,
    ];
    for (const [i, at] of times.entries()) await arrive(NOON + at, i + 1, { inputTokens: 10 });
    await recordArrivals(db(), NOON);
    const rows = await arrivalHistoryAround(db(), NOON, 15 * MINUTE);
    const found = rows.map((r) => r.arrivals).sort((a, b) => a - b);
    expect(found).toEqual([2, 3, 5, 7, 8]);
    expect(rows.find((r) => r.arrivals === 8)).toEqual({
      deployment: 'chat',
      bucketStartMs: NOON - HOUR,
      arrivals: 8,
      input: { requests: 8, tokens: 80, squares: 800 },
      output: { requests: 8, tokens: 800, squares: 80_000 },
    });
  });
});
