import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { connectDatabase } from './client.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('a pool', () => {
  it('loses no place to transactions whose connection breaks, wherever that happens', async () => {
    const connection = connectDatabase(database.url, { maxConnections: 2 });
    const kill = (pid: number) => database.connection.pool.query('select pg_terminate_backend($1)', [pid]);
    for (let i = 0; i < 6; i++) {
      const broken = connection.db.transaction(async (tx) => {
        const { rows } = await tx.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
        await kill(rows[0]!.pid);
        await tx.execute(sql`select 1`);
      });
      await expect(broken).rejects.toThrow();
    }
    // A connection that is killed while idle and taken before its end is noticed: `begin` itself fails.
    for (let i = 0; i < 6; i++) {
      const client = await connection.pool.connect();
      // It may be one that was killed in the round before.
      const answer = await client.query<{ pid: number }>('select pg_backend_pid() as pid').catch((error: Error) => error);
      client.release(answer instanceof Error ? answer : undefined);
      if (answer instanceof Error) continue;
      const { rows } = answer;
      const killed = kill(rows[0]!.pid);
      await connection.db.transaction(async (tx) => tx.execute(sql`select 1`)).catch(() => undefined);
      await killed;
    }
    await expect(connection.db.transaction(async (tx) => (await tx.execute(sql`select 1 as one`)).rows)).resolves.toEqual([{ one: 1 }]);
    await connection.close();
  });
});
