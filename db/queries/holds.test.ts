import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { hosts, replicas } from '../schema/index.ts';
import { holdsOnRebalance } from './holds.ts';
import { setHostService } from './host-states.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('holds what a drain is moving, for as long as it does', async () => {
  const { db } = database.connection;
  const spec = hostSpecSchema.parse({ name: 'h1', accelerators: [{ kind: 'L4', count: 2 }], simulated: true });
  await db.insert(hosts).values({ name: 'h1', spec });
  const replica = {
    ...{ model: 'm', deployment: 'chat', revision: 1, host: 'h1', acceleratorKind: 'L4', tensorParallel: 1, engine: 'simulated' as const },
    ...{ state: 'ready' as const, simulated: true },
  };
  await db.insert(replicas).values([
    { ...replica, id: 'r1', accelerators: [0] },
    { ...replica, id: 'r2', accelerators: [1] },
    { ...replica, id: 'gone', deployment: 'old', accelerators: [0], endedAt: new Date() },
  ]);
  expect(await holdsOnRebalance(db)).toEqual([]);
  await setHostService(db, 'h1', 'draining', 'a test');
  expect(await holdsOnRebalance(db)).toMatchObject([
    { deployment: 'chat', refusal: { kind: 'waiting', on: 'drain', message: 'the drain of host h1 is moving chat' } },
  ]);
});
