import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import {
  latestSnapshot,
  latestSnapshotRecord,
  latestSnapshotVersion,
  listSnapshotRecords,
  publishSnapshot,
  readSnapshotRecord,
  rollbackSnapshot,
  SNAPSHOT_CHANNEL,
  type StepTimeCalibration,
  stepTimeProfiles,
  upsertStepTimeProfile,
} from './profiler.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

const snapshot = (version: number) => ({ ...COLD_START_SNAPSHOT, version, trainedThroughId: version * 10 });

describe('snapshots', () => {
  it('are absent at first', async () => {
    expect(await latestSnapshot(database.connection.db)).toBeNull();
    expect(await latestSnapshotVersion(database.connection.db)).toBe(0);
  });

  it('come back as published, and are announced by their version', async () => {
    const listener = new pg.Client({ connectionString: database.url });
    await listener.connect();
    try {
      await listener.query(`listen ${SNAPSHOT_CHANNEL}`);
      const heard = new Promise((resolve) => listener.once('notification', (n) => resolve(n.payload)));
      expect(await publishSnapshot(database.connection.db, snapshot(1), { coverage90: 0.9 })).toBe(true);
      expect(await heard).toBe('1');
    } finally {
      await listener.end();
    }
    expect(await latestSnapshot(database.connection.db)).toEqual(snapshot(1));
  });

  it('are not replaced by a second trainer with the same version', async () => {
    const other = { ...snapshot(1), trainedThroughId: 99 };
    expect(await publishSnapshot(database.connection.db, other, {})).toBe(false);
    expect(await latestSnapshot(database.connection.db)).toEqual(snapshot(1));
  });

  it('are pruned to the last 50', async () => {
    const { db } = database.connection;
    for (let version = 2; version <= 60; version++) await publishSnapshot(db, snapshot(version), {});
    const { rows } = await db.execute(sql`select count(*)::int as kept, min(version) as oldest from profiler_snapshots`);
    expect(rows).toEqual([{ kept: 50, oldest: 11 }]);
  });

  it('of another layout are not read, but keep their version', async () => {
    const { db } = database.connection;
    await db.execute(sql`insert into profiler_snapshots values (61, '{"layout": 99}', '{}', 0)`);
    expect(await latestSnapshot(db)).toBeNull();
    expect(await latestSnapshotVersion(db)).toBe(61);
  });
});

describe('the history of snapshots', () => {
  let own: TestDatabase;
  beforeEach(async () => {
    own = await createTestDatabase();
  });
  afterEach(() => own.drop());

  const publish = (version: number, reason = 'learned') =>
    publishSnapshot(own.connection.db, snapshot(version), { version }, { reason, basedOn: version - 1 || null });

  it('says why each was published and where it came from, page by page', async () => {
    const { db } = own.connection;
    expect(await latestSnapshotRecord(db)).toBeNull();
    for (const version of [1, 2, 3]) await publish(version, version === 2 ? 'recalibrated' : 'learned');
    const first = await listSnapshotRecords(db, { limit: 2 });
    expect(first.items.map(({ version, reason, basedOn }) => [version, reason, basedOn])).toEqual([
      [3, 'learned', 2],
      [2, 'recalibrated', 1],
    ]);
    const { createdAt, ...oldest } = (await listSnapshotRecords(db, { limit: 2, after: first.next! })).items[0]!;
    expect(oldest).toEqual({ version: 1, reason: 'learned', basedOn: null, trainedThroughId: 10, scores: { version: 1 } });
    expect(await latestSnapshotRecord(db)).toEqual(first.items[0]);
    const since = async (at: Date) => (await listSnapshotRecords(db, { limit: 10 }, at)).items.map(({ version }) => version);
    expect([await since(first.items[0]!.createdAt), await since(new Date(Date.now() + 60_000))]).toEqual([[3], []]);
  });

  it('keeps the last of each hour of two days, and of each day of thirty', async () => {
    const { db } = own.connection;
    // Newest first, they are 0, 10, 20 ... minutes old: 6 an hour.
    for (let version = 1; version <= 400; version++)
      await db.execute(sql`insert into profiler_snapshots (version, snapshot, scores, trained_through_id, created_at)
        values (${version}, '{}', '{}', 0, date_trunc('day', now(), 'UTC') - ${(400 - version) * 10} * interval '1 minute')`);
    await publish(401);
    const { items } = await listSnapshotRecords(db, { limit: 1000 });
    const older = items.filter(({ version }) => version <= 351);
    const hours = older.map(({ createdAt }) => createdAt.toISOString().slice(0, 13));
    expect(new Set(hours).size).toBe(hours.length);
    expect(items.filter(({ version }) => version > 351)).toHaveLength(50);
    // The day of the oldest is more than two days ago, whenever this runs: one is left of it.
    const oldestDay = older.at(-1)!.createdAt.toISOString().slice(0, 10);
    expect(hours.filter((hour) => hour.startsWith(oldestDay))).toHaveLength(1);
    expect(older.length).toBeGreaterThan(15);
  });

  it('goes back to an earlier one as a new version that learns nothing again', async () => {
    const { db } = own.connection;
    for (const version of [1, 2, 3]) await publish(version);
    const { published, replaced } = await rollbackSnapshot(db, 1);
    expect(replaced).toBe(3);
    expect(published).toMatchObject({
      version: 4,
      reason: 'rolled back to version 1',
      basedOn: 1,
      trainedThroughId: 30,
      scores: { version: 1 },
    });
    expect(await latestSnapshot(db)).toEqual({ ...snapshot(1), version: 4, trainedThroughId: 30, forgotten: [{ after: 10, through: 30 }] });
    expect(await readSnapshotRecord(db, 4)).toEqual(published);
  });

  it('does not go back to what is not there, in force, or of another layout', async () => {
    const { db } = own.connection;
    await expect(rollbackSnapshot(db, 7)).rejects.toThrow("there is no profiler snapshot named '7'");
    await publish(1);
    await db.execute(sql`insert into profiler_snapshots values (2, '{"layout": 99}', '{}', 55)`);
    await publish(3);
    await expect(rollbackSnapshot(db, 3)).rejects.toThrow("profiler snapshot '3': it is in force already");
    await expect(rollbackSnapshot(db, 2)).rejects.toThrow('layout of another release');
    expect(await latestSnapshotVersion(db)).toBe(3);
  });

  it('goes back even from one that cannot be read', async () => {
    const { db } = own.connection;
    await publish(1);
    await db.execute(sql`insert into profiler_snapshots values (2, '{"layout": 99}', '{}', 55)`);
    await rollbackSnapshot(db, 1);
    expect(await latestSnapshot(db)).toMatchObject({ version: 3, trainedThroughId: 55 });
  });

  it('has one winner of a rollback and a publication at once', async () => {
    const { db } = own.connection;
    for (const version of [1, 2]) await publish(version);
    const [{ published }, trained] = await Promise.all([rollbackSnapshot(db, 1), publish(3)]);
    expect(published.version).toBe(trained ? 4 : 3);
    expect(await latestSnapshotVersion(db)).toBe(published.version);
  });
});

describe('step-time profiles', () => {
  it('keep the latest calibration of a shape', async () => {
    const { db } = database.connection;
    const profile: StepTimeCalibration = {
      model: 'llama-3.1-8b',
      accelerator: 'H100-SXM',
      tensorParallel: 1,
      source: 'calibrated',
      coefficients: { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.015, rc: 0.006, rb: 4e-7, o: 1 },
      errorPercent: 3.5,
      replicaId: 'chat-1',
    };
    await upsertStepTimeProfile(db, profile);
    await upsertStepTimeProfile(db, { ...profile, errorPercent: 2, replicaId: 'chat-2' });
    await upsertStepTimeProfile(db, { ...profile, tensorParallel: 2 });
    expect(await stepTimeProfiles(db)).toEqual([
      { ...profile, errorPercent: 2, replicaId: 'chat-2' },
      { ...profile, tensorParallel: 2 },
    ]);
  });
});
