import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, execute, type TestDatabase, withDatabase } from '../test/support/database.ts';
import { connectDatabase } from './client.ts';
import { migrateDatabase } from './migrate.ts';
import { loadRoutingTable } from './queries/routing.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('gives each suite a migrated database of its own', async () => {
  expect((await loadRoutingTable(database.connection.db)).replicas).toEqual([]);
});

it('migrates an empty database, from two processes at once and then again', async () => {
  const url = withDatabase(database.url, `${new URL(database.url).pathname.slice(1)}_empty`);
  const name = new URL(url).pathname.slice(1);
  await execute(database.url, `create database ${name} template template0`);
  await Promise.all([migrateDatabase(url), migrateDatabase(url)]);
  await migrateDatabase(url);
  const connection = connectDatabase(url);
  expect((await loadRoutingTable(connection.db)).version).toBeGreaterThanOrEqual(0);
  await connection.close();
  await execute(database.url, `drop database ${name} with (force)`);
});
