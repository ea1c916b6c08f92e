import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { lengthCalibration, QUANTILES } from './calibration.ts';
import { insertObservations } from './observations.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const NOW = 1_800_000_000_000;
/** Normal scores of the quantiles. */
const SCORES = [-1.2816, -0.8416, -0.5244, -0.2533, 0, 0.2533, 0.5244, 0.8416, 1.2816, 1.6449, 2.3263];

it('counts how answers lay in what was predicted for them', async () => {
  const { db } = database.connection;
  const predicted = { predictedOutputP50: 100, predictedOutputP90: 100 * Math.exp(1.2816), acceptedAtMs: NOW };
  // A standard lognormal around 100: one answer just below each quantile, one far above all.
  const lengths = [...SCORES.map((score) => Math.floor(98 * Math.exp(score))), 10_000];
  await insertObservations(db, [
    ...lengths.map((outputTokens, i) => anObservation(`a${i}`, { ...predicted, outputTokens })),
    anObservation('private', { ...predicted, outputTokens: 9000, featureKey: 'off' }),
    anObservation('limited', { ...predicted, outputTokens: 50, maxTokens: 50 }),
    anObservation('old', { ...predicted, acceptedAtMs: NOW - 1 }),
    anObservation('failed', { ...predicted, outcome: 'failed' }),
    anObservation('unpredicted', { acceptedAtMs: NOW }),
    anObservation('other', { ...predicted, model: 'b', outputTokens: 50, maxTokens: 50 }),
  ]);
  expect(await lengthCalibration(db, new Date(NOW))).toEqual([
    { model: 'b', answers: 0, limited: 1, shares: QUANTILES.map(() => null) },
    { model: 'llama-3.1-8b', answers: 12, limited: 1, shares: QUANTILES.map((_, i) => expect.closeTo((i + 1) / 12, 9)) },
  ]);
});
