import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import type { Database } from '../client.ts';
import { gatewayPolicies, type Lease, liveLeases, pruneLeases, removeLease, renewLease } from './leases.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
});
afterAll(() => database.drop());

const lease = (gatewayId: string, routingVersion: number, inFlight: Record<string, number> = {}): Lease => ({
  gatewayId,
  address: 'http://127.0.0.1:8000',
  routingVersion,
  inFlight,
  unhealthy: { r2: 'its metrics did not answer 2 times' },
});

describe('leases', () => {
  it('are renewed in place and read back', async () => {
    await renewLease(db, lease('a', 3, { r1: 2 }));
    await renewLease(db, lease('a', 4, { r1: 1 }));
    expect(await liveLeases(db, 10_000)).toEqual([lease('a', 4, { r1: 1 })]);
  });

  it('are not set back by a renewal that was overtaken', async () => {
    await renewLease(db, lease('b', 9));
    await renewLease(db, lease('b', 8, { r1: 5 }));
    const found = (await liveLeases(db, 10_000)).find((l) => l.gatewayId === 'b');
    expect(found?.routingVersion).toBe(9);
  });

  it('say by which policies gateways schedule, that of most of them first', async () => {
    for (const [gatewayId, schedulerPolicy] of Object.entries({ p1: 'uellm', p2: 'edf', p3: 'edf', p4: 'fcfs' }))
      await renewLease(db, { ...lease(gatewayId, 1), schedulerPolicy });
    await db.execute(sql`update gateway_leases set renewed_at = now() - interval '11 seconds' where gateway_id = 'p4'`);
    expect(await gatewayPolicies(db)).toEqual(['edf', 'uellm']);
  });

  it('count as dead when they are not renewed, and are pruned later', async () => {
    await renewLease(db, lease('c', 1));
    await db.execute(sql`update gateway_leases set renewed_at = now() - interval '11 seconds' where gateway_id = 'c'`);
    expect((await liveLeases(db, 10_000)).map((l) => l.gatewayId)).not.toContain('c');
    await pruneLeases(db, 10_000);
    const left = await db.execute(sql`select 1 from gateway_leases where gateway_id = 'c'`);
    expect(left.rowCount).toBe(0);
  });

  it('say since when they were held without a break', async () => {
    await renewLease(db, lease('e', 1));
    const heldFor = async () => {
      await renewLease(db, lease('e', 1));
      const held = await db.execute<{ s: number }>(
        sql`select extract(epoch from now() - started_at)::float8 as s from gateway_leases where gateway_id = 'e'`,
      );
      return held.rows[0]!.s;
    };
    await db.execute(sql`update gateway_leases set started_at = now() - interval '1 hour', renewed_at = now() - interval '9 seconds'`);
    expect(await heldFor()).toBeGreaterThan(3599);
    await db.execute(sql`update gateway_leases set renewed_at = now() - interval '11 seconds'`);
    expect(await heldFor()).toBeLessThan(10);
  });

  it('are gone once removed', async () => {
    await renewLease(db, lease('d', 1));
    await removeLease(db, 'd');
    expect((await liveLeases(db, 10_000)).map((l) => l.gatewayId)).not.toContain('d');
  });
});
