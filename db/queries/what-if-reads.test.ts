import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { insertObservations } from './observations.ts';
import { recordedStretches } from './what-if-reads.ts';

const FROM_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const PART_MS = HOUR_MS / 12;
const span = { fromMs: FROM_MS, untilMs: FROM_MS + HOUR_MS };

let database: TestDatabase;
/** 300 requests in the third part, a second apart, 100 in the last one; one before and one at the end, which are not of this hour. */
beforeAll(async () => {
  database = await createTestDatabase();
  const at = (id: string, acceptedAtMs: number) => anObservation(id, { acceptedAtMs, inputTokens: 7, predictedOutputP50: 9.5 });
  await insertObservations(database.connection.db, [
    ...Array.from({ length: 300 }, (_, i) => at(`busy${i}`, FROM_MS + 2 * PART_MS + i * 1000)),
    ...Array.from({ length: 100 }, (_, i) => at(`late${i}`, FROM_MS + 11 * PART_MS + i * 2000)),
    at('before', FROM_MS - 1),
    at('end', FROM_MS + HOUR_MS),
  ]);
});
afterAll(() => database.drop());

const read = (most: number) => recordedStretches(database.connection.db, { ...span, most });

it('is all of them, by acceptance, where there are no more than are asked for', async () => {
  const { observed, stretches } = await read(400);
  expect([observed, stretches.length, stretches[0]!.requests.length]).toEqual([400, 1, 400]);
  expect(stretches[0]).toMatchObject(span);
  const times = stretches[0]!.requests.map((r) => r.acceptedAtMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(stretches[0]!.requests[0]).toMatchObject({
    deployment: 'chat',
    tenant: 'default',
    inputTokens: 7,
    outputTokens: 100,
    predictedOutputP50: 9.5,
  });
});

it('is a stretch of each part that had any, as long as its share of all', async () => {
  const { observed, stretches } = await read(40);
  expect(observed).toBe(400);
  expect(stretches.map(({ fromMs, untilMs, requests }) => [fromMs, untilMs, requests.length])).toEqual([
    [FROM_MS + 2 * PART_MS, FROM_MS + 2 * PART_MS + 29_000, 30],
    [FROM_MS + 11 * PART_MS, FROM_MS + 11 * PART_MS + 18_000, 10],
  ]);
  expect(stretches[0]!.requests.map((r) => r.acceptedAtMs)).toEqual(Array.from({ length: 30 }, (_, i) => FROM_MS + 2 * PART_MS + i * 1000));
});

it('is nothing of a time without requests', async () => {
  const empty = await recordedStretches(database.connection.db, { fromMs: 0, untilMs: HOUR_MS, most: 10 });
  expect(empty).toEqual({ observed: 0, stretches: [] });
});
