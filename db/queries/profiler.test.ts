import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import {
  latestSnapshot,
  latestSnapshotVersion,
  publishSnapshot,
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
