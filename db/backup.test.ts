/** What docs/running-in-production.md says of backups, done: `pg_dump` and `pg_restore` of a whole database, with a server of their own version. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { postgresAccount } from '../bin/embedded/postgres-account.ts';
import { freePort } from '../bin/processes/ports.ts';
import { withDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { connectDatabase } from './client.ts';
import { migrateDatabase } from './migrate.ts';
import { insertObservations } from './queries/observations.ts';

const bin = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' }).stdout?.trim() ?? '';
const isThere = ['initdb', 'postgres', 'pg_dump', 'pg_restore'].every((program) => existsSync(join(bin, program)));

describe.skipIf(!isThere)('a backup', () => {
  let directory: string;
  let server: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const account = postgresAccount();
    const owner = account ? { uid: account.uid, gid: account.gid } : {};
    directory = mkdtempSync(join(tmpdir(), 'uellm-backup-'));
    if (account) chownSync(directory, account.uid, account.gid);
    const data = join(directory, 'data');
    execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'uellm', '--auth=trust', '--locale=C', '--encoding=UTF8', '--no-sync'], {
      ...owner,
      cwd: '/',
      stdio: 'pipe',
    });
    const port = await freePort();
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'].flatMap((setting) => ['-c', setting]);
    server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings], { ...owner, cwd: '/', stdio: 'ignore' });
    url = `postgres://uellm@127.0.0.1:${port}/postgres`;
    await vi.waitFor(() => query(url, 'select 1'), { timeout: 20_000, interval: 50 });
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGINT');
    await ended;
    rmSync(directory, { recursive: true });
  });

  async function query(database: string, statement: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: database });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** Rows of every table, the days of observations each for itself. */
  async function contents(database: string): Promise<Record<string, unknown>[]> {
    const tables = await query(database, "select relname from pg_stat_user_tables where schemaname = 'public' order by relname");
    const counts = tables.map(({ relname }) => `select '${relname}' as name, count(*)::int as rows from "${relname}"`);
    return query(database, counts.join(' union all '));
  }

  it('brings back every row, and goes on where it was: days of observations, numbering, migrations', async () => {
    const [before, after] = [withDatabase(url, 'before'), withDatabase(url, 'after')];
    await query(url, 'create database before');
    await migrateDatabase(before);
    const now = Date.now();
    const insert = async (database: string, ...ids: string[]) => {
      const { db, close } = connectDatabase(database);
      return insertObservations(
        db,
        ids.map((requestId, i) => anObservation(requestId, { acceptedAtMs: now - i * 86_400_000 })),
      ).finally(close);
    };
    expect(await insert(before, 'a', 'b', 'c')).toBe(3);
    const file = join(directory, 'uellm.dump');
    execFileSync(join(bin, 'pg_dump'), ['--format=custom', '--no-owner', `--file=${file}`, before], { stdio: 'pipe' });

    await query(url, 'create database after');
    execFileSync(join(bin, 'pg_restore'), ['--no-owner', '--exit-on-error', `--dbname=${after}`, file], { stdio: 'pipe' });
    expect(await contents(after)).toEqual(await contents(before));
    await migrateDatabase(after);
    expect(await insert(after, 'a', 'b', 'c', 'd')).toBe(1);
    const rows = await query(after, 'select id::int from observations order by id');
    expect(new Set(rows.map(({ id }) => id)).size).toBe(4);
  });
});
