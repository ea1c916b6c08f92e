/** `uellm migrate`: brings the database to the schema of this version. `uellm up` does it by itself. */
import { pino } from 'pino';
import { migrateDatabase } from '../db/migrate.ts';
import type { Environment } from './environment.ts';
import { requireDatabaseUrl } from './requirements.ts';

export async function runMigrations(environment: Environment): Promise<void> {
  await migrateDatabase(requireDatabaseUrl(environment));
  pino({ name: 'migrate', level: environment.logLevel }).info('the database is up to date');
}
