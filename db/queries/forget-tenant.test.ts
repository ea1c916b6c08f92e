import { afterAll, beforeAll, expect, it } from 'vitest';
import { learn } from '../../core/profiler/learn.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import { noTenants, tenantBucket } from '../../core/profiler/tenants.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { anObservation } from '../../test/support/observations.ts';
import { profilerSnapshots } from '../schema/index.ts';
import { deleteObservationsOf } from './observation-deletion.ts';
import { latestSnapshotRecord, publishSnapshot, rollbackSnapshot } from './profiler.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const of = (tenant: string, from: number) =>
  Array.from({ length: 30 }, (_, i) => ({ id: from + i, ...anObservation(`r${from + i}`, { tenant, outputTokens: 900 }) }));

it('leaves nothing of a deleted tenant in any snapshot, whether in force or kept to go back to', async () => {
  const { db } = database.connection;
  const first = learn(COLD_START_SNAPSHOT, of('leaves', 1)).snapshot;
  const second = learn(first, of('stays', 31)).snapshot;
  await publishSnapshot(db, { ...first, version: 1 }, {});
  await publishSnapshot(db, { ...second, version: 2 }, { all: 'scores' });
  await deleteObservationsOf(db, 'leaves');
  expect(await latestSnapshotRecord(db)).toMatchObject({
    ...{ version: 3, basedOn: 2, trainedThroughId: 60, scores: { all: 'scores' } },
    reason: 'observations of a tenant were deleted',
  });
  await rollbackSnapshot(db, 1);
  const rows = await db.select().from(profilerSnapshots).orderBy(profilerSnapshots.version);
  const none = noTenants();
  const known = (tenant: string) =>
    rows.map((row) => {
      const { shared, models } = row.snapshot as ProfilerSnapshot;
      const bucket = tenantBucket(tenant);
      const heads = [shared, ...Object.values(models)];
      return heads.some(({ tenants }) => tenants.observations[bucket]! > 0 || tenants.level[bucket] !== none.level[bucket]);
    });
  expect(known('leaves')).toEqual([false, false, false, false]);
  expect(known('stays')).toEqual([false, true, true, false]);
  // Of one that nobody knows there is nothing to forget.
  await deleteObservationsOf(db, 'leaves');
  expect((await latestSnapshotRecord(db))!.version).toBe(4);
});
