import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { connectDatabase, type Database } from '../client.ts';
import { deleteObservationsOf } from './observation-deletion.ts';
import { createPartitions, dropPartitions, partitionedDays, partitionOf, pruneDefault } from './observation-partitions.ts';
import { insertObservations, observationsAfter } from './observations.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 4, 15, 13, 30);
const TODAY = Date.UTC(2026, 4, 15);
const POLICY = { days: 30 };
const AHEAD = 3;

let database: TestDatabase;
let db: Database;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
});
afterEach(() => database.drop());

const observe = (prefix: string, acceptedAtMs: number, count = 1, fields = {}) =>
  insertObservations(
    db,
    Array.from({ length: count }, (_, i) => anObservation(`${prefix}${i}`, { acceptedAtMs, ...fields })),
  );
/** Where each observation is, in the order of its id. */
async function places(): Promise<Record<string, string>> {
  const { rows } = await db.execute<{ request_id: string; part: string }>(
    sql`select request_id, tableoid::regclass::text as part from observations order by id`,
  );
  return Object.fromEntries(rows.map(({ request_id, part }) => [request_id, part]));
}
const make = () => createPartitions(db, NOW, AHEAD, POLICY);

describe('days of observations', () => {
  it('are made ahead, once', async () => {
    const days = ['observations_20260515', 'observations_20260516', 'observations_20260517', 'observations_20260518'];
    expect(await make()).toEqual(days);
    expect(await make()).toEqual([]);
    expect(await partitionedDays(db)).toEqual([0, 1, 2, 3].map((d) => TODAY + d * DAY_MS));
  });

  it('begin at midnight UTC, whatever the time zone of the session', async () => {
    const elsewhere = connectDatabase(`${database.url}?options=-c%20timezone%3DAsia/Kolkata`);
    try {
      expect((await elsewhere.db.execute(sql`show timezone`)).rows).toEqual([{ TimeZone: 'Asia/Kolkata' }]);
      await observe('last-', TODAY + DAY_MS - 1);
      expect(await createPartitions(elsewhere.db, NOW, AHEAD, POLICY)).toHaveLength(4);
    } finally {
      await elsewhere.close();
    }
    await observe('first-', TODAY + DAY_MS);
    expect(await places()).toEqual({ 'last-0': 'observations_20260515', 'first-0': 'observations_20260516' });
  });

  it('take over what was stored before they were made, and nothing is lost, doubled or renumbered', async () => {
    await observe('a', NOW, 3);
    await observe('old-', NOW - 3 * DAY_MS);
    await observe('b', NOW, 2);
    const before = await observationsAfter(db, 0, 100);
    expect(await make()).toContain('observations_20260512');
    expect(await observationsAfter(db, 0, 100)).toEqual(before);
    expect(new Set(Object.values(await places()))).toEqual(new Set(['observations_20260515', 'observations_20260512']));
    // A second delivery is still known for what it is.
    expect(await observe('a', NOW, 4)).toBe(1);
  });

  it('leave to the default partition what no clock should say, and lose none of it', async () => {
    await make();
    await observe('stone-age-', 0);
    await observe('far-', Date.UTC(9000, 0, 1));
    await observe('farthest-', 8.64e15);
    await observe('long-past-', NOW - 60 * DAY_MS);
    expect(await make()).toEqual([]);
    expect(Object.values(await places())).toEqual(Array(4).fill('observations_default'));
    const times = (await observationsAfter(db, 0, 100)).map((o) => o.acceptedAtMs);
    expect(times).toEqual([0, Date.UTC(9000, 0, 1), Date.UTC(9999, 11, 31), NOW - 60 * DAY_MS]);
  });

  it('are dropped when they are old, and not a day earlier', async () => {
    await createPartitions(db, NOW - 32 * DAY_MS, AHEAD, POLICY);
    await observe('x', NOW - 30 * DAY_MS);
    await observe('y', NOW - 31 * DAY_MS);
    expect(await dropPartitions(db, NOW, POLICY)).toEqual(['observations_20260413', 'observations_20260414']);
    expect(await places()).toEqual({ x0: 'observations_20260415' });
  });

  it('wait for nobody long: a reader that stays makes them fail, and the next call makes them', async () => {
    const reader = new pg.Client({ connectionString: database.url });
    await reader.connect();
    await reader.query('begin; select count(*) from observations');
    await expect(make()).rejects.toMatchObject({ cause: { code: '55P03' } });
    await reader.query('rollback');
    await reader.end();
    expect(await make()).toHaveLength(4);
  });

  it('are made and dropped while gateways deliver and a follower reads', async () => {
    await observe('before-', NOW, 500);
    const batches = Array.from({ length: 40 }, (_, i) => () => observe(`g${i}-`, NOW + ((i % 6) - 3) * DAY_MS, 50));
    const seen: number[] = [];
    let delivered = false;
    const follow = async () => {
      for (let over = false; !over; ) {
        const nothingComes = delivered;
        const next = await observationsAfter(db, seen.at(-1) ?? 0, 100);
        seen.push(...next.map((o) => o.id));
        over = nothingComes && next.length === 0;
      }
    };
    const following = follow();
    const deliver = async (mine: (() => Promise<number>)[]) => {
      for (const batch of mine) await batch();
    };
    const reshape = async () => {
      for (let i = 0; i < 5; i++) {
        await make();
        await db.execute(sql.raw(`alter table observations detach partition ${partitionOf(TODAY + 3 * DAY_MS)}`));
        await db.execute(sql.raw(`drop table ${partitionOf(TODAY + 3 * DAY_MS)}`));
      }
    };
    await Promise.all([deliver(batches.slice(0, 20)), deliver(batches.slice(20)), reshape()]);
    delivered = true;
    await following;
    expect(seen).toHaveLength(500 + 40 * 50);
  });
});

describe('the default partition', () => {
  it('loses what is old, in batches, and keeps what is not', async () => {
    for (let i = 0; i < 11; i++) await observe(`old${i}-`, NOW - 40 * DAY_MS, 500);
    await observe('kept-', NOW);
    expect(await pruneDefault(db, NOW, AHEAD, POLICY)).toBe(5500);
    expect(Object.keys(await places())).toEqual(['kept-0']);
  });

  it('keeps what is from the future until everything stored with it has gone', async () => {
    await observe('future-', Date.UTC(2999, 0, 1));
    await observe('now-', NOW);
    await observe('later-future-', Date.UTC(2999, 0, 2));
    await make();
    expect(await pruneDefault(db, NOW, AHEAD, POLICY)).toBe(1);
    expect(Object.keys(await places())).toEqual(['now-0', 'later-future-0']);
    expect(await pruneDefault(db, NOW, AHEAD, POLICY)).toBe(0);
  });

  it('of nothing but the future keeps it all: nothing says how old it is', async () => {
    await observe('future-', Date.UTC(2999, 0, 1));
    expect(await pruneDefault(db, NOW, AHEAD, POLICY)).toBe(0);
  });
});

describe('deleting a tenant', () => {
  it('takes all of it from every partition, and nothing of anyone else', async () => {
    await make();
    for (let i = 0; i < 12; i++) await observe(`a${i}-`, NOW, 500, { tenant: 'acme' });
    await observe('next-', NOW + DAY_MS, 3, { tenant: 'acme' });
    await observe('absurd-', 0, 2, { tenant: 'acme' });
    await observe('other-', NOW, 4, { tenant: 'globex' });
    await observe('other-absurd-', 0, 1, { tenant: 'globex' });
    expect(await deleteObservationsOf(db, 'acme')).toBe(6005);
    expect(Object.keys(await places())).toEqual(['other-0', 'other-1', 'other-2', 'other-3', 'other-absurd-0']);
    expect(await deleteObservationsOf(db, 'acme')).toBe(0);
    expect(await deleteObservationsOf(db, "o'brien; drop table observations")).toBe(0);
  });
});
