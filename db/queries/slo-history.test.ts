import { type SQL, sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import type { Executor } from '../client.ts';
import { insertObservations } from './observations.ts';
import { queryDistribution } from './query-distribution.ts';
import { attainmentSteps } from './slo-history.ts';

const MINUTE_MS = 60_000;
const until = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
const since = new Date(until.getTime() - 60 * MINUTE_MS);
/** They make most of a row. */
const features = Buffer.alloc(900, 7).toString('base64');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database.connection;
  const minutes = Array.from({ length: 60 }, (_, i) => i);
  await insertObservations(
    db,
    minutes.flatMap((minute) =>
      Array.from({ length: 20 }, (_, i) =>
        anObservation(`${minute}-${i}`, {
          acceptedAtMs: since.getTime() + minute * MINUTE_MS,
          attained: i > 0,
          tenant: `t${i % 4}`,
          features,
        }),
      ),
    ),
  );
  // So few rows are as near by any other way.
  await db.execute(sql`drop index observations_deployment`);
  await db.execute(sql`analyze observations`);
});
afterAll(() => database.drop());

/** The plan of the first statement that is executed; the others get none. */
async function planOf(ask: (db: Executor) => Promise<unknown>): Promise<string> {
  const plans: string[][] = [];
  const execute = async (statement: SQL) => {
    if (plans.length > 0) return { rows: [] };
    const { rows } = await database.connection.db.transaction(async (tx) => {
      await tx.execute(sql`set local enable_seqscan = off`);
      await tx.execute(sql`set local enable_bitmapscan = off`);
      return tx.execute<{ 'QUERY PLAN': string }>(sql`explain ${statement}`);
    });
    plans.push(rows.map((row) => row['QUERY PLAN']));
    return { rows: [] };
  };
  await ask({ execute } as unknown as Executor);
  return plans[0]!.join('\n');
}

// A row of a request is ten times as long as what is counted of it.
it.each([
  ['a policy', { policy: 'fallback', tenant: null }],
  ['a tenant', { tenant: 't1' }],
  ['all', { tenant: null }],
])('counts attainment and arrivals of %s from an index alone', async (_, filter) => {
  const question = { since, until, stepSeconds: 60, filter };
  for (const ask of [attainmentSteps, queryDistribution]) {
    const plan = await planOf((db) => ask(db, question));
    expect(plan).toMatch(/Index Only Scan/);
    expect(plan).not.toMatch(/Index Scan|Bitmap|Seq Scan on observations/);
  }
});

it('counts each step by itself, those at the ends of the window too', async () => {
  const { db } = database.connection;
  const question = { since, until: new Date(until.getTime() - 1), stepSeconds: 60, filter: { tenant: 't1' } };
  const starts = Array.from({ length: 60 }, (_, i) => since.getTime() + i * MINUTE_MS);
  const { arrivals } = await queryDistribution(db, question);
  expect(arrivals).toEqual(starts.map((startMs) => ({ startMs, requests: 5 })));
  const steps = await attainmentSteps(db, question);
  expect(steps).toEqual(starts.map((startMs) => ({ policy: 'fallback', startMs, requests: 5, attained: 5 })));
});
