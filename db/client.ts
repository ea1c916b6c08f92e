/**
 * Postgres, by way of drizzle. `schema/` has the tables, `queries/` one file an entity with the verbs on it, `migrations/` the
 * committed SQL. Nothing outside `db/` writes SQL.
 */

import type { ExtractTablesWithRelations } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgTransaction } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import * as schema from './schema/index.ts';

export type Database = NodePgDatabase<typeof schema>;
export type Transaction = NodePgTransaction<typeof schema, ExtractTablesWithRelations<typeof schema>>;
/** Queries take either, so that a caller may join several in one transaction. */
export type Executor = Database | Transaction;

export interface DatabaseConnection {
  db: Database;
  pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * Opens a pool. A connection that breaks while idle is dropped, not thrown: the next query opens another.
 * @param onError told about broken idle connections
 */
export function connectDatabase(
  url: string,
  options: { maxConnections?: number; onError?: (error: Error) => void } = {},
): DatabaseConnection {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.maxConnections ?? 8,
    connectionTimeoutMillis: 5000,
    application_name: 'uellm',
  });
  pool.on('error', (error) => options.onError?.(error));
  // A connection that breaks in the middle of a transaction tells its query; without a listener of its own the same error ends the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  giveBackBroken(pool);
  return { db: drizzle({ client: pool, schema, casing: 'snake_case' }), pool, close: () => pool.end() };
}

/**
 * A transaction whose `begin` meets a connection that has just broken never gives its place in the pool back: drizzle-orm 0.45 runs it
 * outside the `finally` that would. So the end of a connection gives the place back itself, and giving it back twice does nothing.
 */
function giveBackBroken(pool: pg.Pool): void {
  const connect = pool.connect.bind(pool) as (...args: unknown[]) => unknown;
  pool.connect = ((...args: unknown[]) => {
    if (args.length > 0) return connect(...args); // by callback: the pool's own queries, which do give it back
    return (connect() as Promise<pg.PoolClient>).then((client) => {
      const giveBack = client.release;
      let taken = true;
      const onEnd = () => client.release(true);
      client.release = (error) => {
        if (!taken) return;
        taken = false;
        client.removeListener('end', onEnd);
        giveBack.call(client, error);
      };
      client.once('end', onEnd);
      return client;
    });
  }) as typeof pool.connect;
}
