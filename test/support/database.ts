/** A fresh, migrated database for a suite: a clone of the template that the global setup migrated once. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { connectDatabase, type DatabaseConnection } from '../../db/client.ts';

export const TEMPLATE_DATABASE = 'uellm_template';

export interface TestDatabase {
  url: string;
  connection: DatabaseConnection;
  /** Closes the connection and removes the database, whoever else is still connected. */
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const server = inject('postgresUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await execute(server, `create database ${name} template ${TEMPLATE_DATABASE}`);
  const url = withDatabase(server, name);
  const connection = connectDatabase(url);
  return {
    url,
    connection,
    async drop() {
      await connection.close();
      await execute(server, `drop database if exists ${name} with (force)`);
    },
  };
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/** Runs one statement on a connection of its own. */
export async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
