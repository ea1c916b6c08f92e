/** What migrations do to rows that are there already. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, execute, type TestDatabase, withDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { connectDatabase } from './client.ts';
import { migrateDatabase } from './migrate.ts';
import { insertObservations, observationsAfter } from './queries/observations.ts';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let url: string;
let folder: string;
beforeAll(async () => {
  database = await createTestDatabase();
  const name = `${new URL(database.url).pathname.slice(1)}_old`;
  url = withDatabase(database.url, name);
  await execute(database.url, `create database ${name} template template0`);
  folder = mkdtempSync(join(tmpdir(), 'uellm-migrations-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await execute(database.url, `drop database if exists ${new URL(url).pathname.slice(1)} with (force)`);
  await database.drop();
});

/** The migrations up to this one, as an earlier release had them. */
function migrationsThrough(index: number): string {
  cpSync(fileURLToPath(new URL('./migrations', import.meta.url)), folder, { recursive: true });
  const file = join(folder, 'meta/_journal.json');
  const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: { idx: number }[] };
  writeFileSync(file, JSON.stringify({ ...journal, entries: journal.entries.filter((entry) => entry.idx <= index) }));
  return folder;
}

describe('observations by day', () => {
  it('carry over what an earlier release stored, ids and all, whatever its clock said', async () => {
    await migrateDatabase(url, migrationsThrough(1));
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const times = [today - DAY_MS, today - 1, today, Date.UTC(1971, 0, 1), Date.UTC(2999, 0, 1)];
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      for (const [i, ms] of times.entries())
        await client.query(
          `insert into observations (request_id, accepted_at, gateway_id, model, deployment, tenant, class, policy, outcome, streamed, input_tokens, attained)
           values ($1, $2, 'g', 'm', 'd', 't', 'c', 'p', 'ok', true, 7, true)`,
          [`old-${i}`, new Date(ms)],
        );
      await client.query(
        `insert into corrections (kind, subject, evidence, action, undone_at) values ('k', 's', '{}', 'a', now()), ('k', 's', '{}', 'a', null)`,
      );
      await migrateDatabase(url);
      const { rows } = await client.query('select tableoid::regclass::text as part, request_id from observations order by id');
      const day = (ms: number) => `observations_${new Date(ms).toISOString().slice(0, 10).replaceAll('-', '')}`;
      expect(rows).toEqual([
        { part: day(today - DAY_MS), request_id: 'old-0' },
        { part: day(today - DAY_MS), request_id: 'old-1' },
        { part: day(today), request_id: 'old-2' },
        { part: 'observations_default', request_id: 'old-3' },
        { part: 'observations_default', request_id: 'old-4' },
      ]);
      expect((await client.query('select state from corrections order by id')).rows).toEqual([{ state: 'undone' }, { state: 'kept' }]);
    } finally {
      await client.end();
    }
    const connection = connectDatabase(url);
    try {
      await insertObservations(connection.db, [anObservation('old-2', { acceptedAtMs: today }), anObservation('new')]);
      const read = await observationsAfter(connection.db, 0, 10);
      expect(read.map((o) => [o.id, o.requestId])).toEqual([...times.map((_, i) => [i + 1, `old-${i}`]), [expect.any(Number), 'new']]);
      expect(read.at(-1)!.id).toBeGreaterThan(times.length);
      expect(read[0]).toMatchObject({ acceptedAtMs: times[0], inputTokens: 7, attained: true, features: null, featureKey: null });
    } finally {
      await connection.close();
    }
  });
});
