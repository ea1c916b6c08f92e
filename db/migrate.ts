/** Brings a database to the committed schema. Safe to run from several processes at once: an advisory lock orders them. */
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';

const MIGRATION_LOCK = 0x7565_6c6c; // 'uell'

const MIGRATIONS_FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));

/** @param migrationsFolder the committed one, which the build copies beside this file */
export async function migrateDatabase(url: string, migrationsFolder = MIGRATIONS_FOLDER): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'uellm-migrate' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle({ client, casing: 'snake_case' }), { migrationsFolder });
  } finally {
    await client.end();
  }
}
