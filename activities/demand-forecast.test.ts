/** From what gateways delivered to the demand that plans are made for, on a real database. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DeploymentSpec, deploymentSpecSchema } from '../core/domain/deployment.ts';
import type { Observation } from '../core/domain/observation.ts';
import { recordArrivals } from '../db/queries/arrival-history.ts';
import { insertObservations } from '../db/queries/observations.ts';
import { arrivalHistory, arrivalHistoryProgress, deployments, gatewayLeases, observations } from '../db/schema/index.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { loadForecasts } from './demand-forecast.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const NOW = Date.UTC(2026, 4, 15, 12, 0, 10);

let database: TestDatabase;
const db = () => database.connection.db;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  for (const table of [arrivalHistory, arrivalHistoryProgress, observations, gatewayLeases, deployments]) await db().delete(table);
});

const spec = (name: string, requestsPerSecond = 6): DeploymentSpec =>
  deploymentSpecSchema.parse({
    name,
    model: 'm',
    engine: { kind: 'vllm' },
    demand: { requestsPerSecond, inputTokens: 1000, outputTokens: 100 },
  });
let sequence = 0;
/** One every `everyMs` from so long before now until so long before it. */
const arrive = (everyMs: number, fromAgoMs: number, toAgoMs: number, fields: Partial<Observation> = {}) =>
  insertObservations(
    db(),
    Array.from({ length: Math.floor((fromAgoMs - toAgoMs) / everyMs) }, (_, i) =>
      anObservation(`q${sequence++}`, {
        ...{ acceptedAtMs: NOW - fromAgoMs + i * everyMs, deployment: 'chat', inputTokens: 500, outputTokens: 50, e2eMs: 2000 },
        ...fields,
      }),
    ),
  );
const holdLease = (sinceMs: number, untilMs: number) =>
  db()
    .insert(gatewayLeases)
    .values({
      ...{ gatewayId: `g${sequence++}`, address: 'http://127.0.0.1:1', routingVersion: 1, inFlight: {} },
      ...{ startedAt: new Date(sinceMs), renewedAt: new Date(untilMs) },
    });
const forecast = async (name = 'chat') => (await loadForecasts(db(), NOW))(spec(name));

describe('the forecast of a deployment', () => {
  it('is what was declared while nothing arrived', async () => {
    await holdLease(NOW - DAY, NOW);
    expect(await forecast()).toMatchObject({ demand: { requestsPerSecond: 6, inputTokens: 1000, outputTokens: 100 }, basis: 'declared' });
  });

  it('follows the arrivals, each deployment its own, whatever became of them', async () => {
    await arrive(500, 30 * MINUTE, 0);
    await arrive(1000, 30 * MINUTE, 0, { deployment: 'code', outcome: 'shed', outputTokens: null, e2eMs: null, queueMs: 10 });
    const chat = await forecast('chat');
    expect(chat.parts.level).toBeCloseTo(2);
    expect(chat.demand).toMatchObject({ inputTokens: 500, outputTokens: 50 });
    expect(chat.inputVariation).toBeCloseTo(0);
    expect((await forecast('code')).parts.level).toBeCloseTo(1);
    expect((await forecast('other')).basis).toBe('declared');
  });

  it('does not take requests that are still being answered for requests that never came', async () => {
    await arrive(500, 30 * MINUTE, 3 * MINUTE, { e2eMs: 170 * SECOND });
    // Of the last three minutes a few short answers have ended.
    await arrive(10_000, 3 * MINUTE, 0);
    expect((await forecast()).parts.level).toBeCloseTo(2);
  });

  it('keeps to what was known before gateways fell silent, and follows a silence that they tell of', async () => {
    await arrive(500, 30 * MINUTE, 10 * MINUTE);
    await holdLease(NOW - DAY, NOW - 10 * MINUTE);
    expect((await forecast()).parts.level).toBeCloseTo(2);
    await db().delete(gatewayLeases);
    await holdLease(NOW - DAY, NOW);
    expect((await forecast()).parts.level).toBeLessThan(0.1);
  });

  it('knows the pattern of earlier days from the history, long after their observations are gone', async () => {
    await db()
      .insert(deployments)
      .values({ name: 'chat', spec: spec('chat') });
    for (let day = 1; day <= 4; day++) {
      await arrive(5000, day * DAY + 60 * MINUTE, day * DAY - 5 * MINUTE);
      await arrive(500, day * DAY - 5 * MINUTE, day * DAY - 60 * MINUTE);
      await recordArrivals(db(), NOW - day * DAY + 60 * MINUTE);
    }
    await db().delete(observations);
    await arrive(5000, 30 * MINUTE, 0);
    const { basis, parts, demand } = await forecast();
    expect(basis).toBe('daily');
    expect(parts.level).toBeLessThan(0.3);
    expect(demand.requestsPerSecond).toBeGreaterThan(1.6);
  });
});
