import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '../../engines/process-identity.ts';
import { endProcess, type LaunchedProcess, launch, waitUntilReady } from '../processes/launch.ts';
import { type EmbeddedPostgres, prepareEmbeddedPostgres } from './postgres.ts';
import { canEnter, postgresAccount, REACHABLE_ROOT, reachableBinaries } from './postgres-account.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';

let parent: string;
let running: LaunchedProcess[];
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'uellm-postgres-'));
  chmodSync(parent, 0o755);
  running = [];
});
afterEach(async () => {
  for (const launched of running) await endProcess(launched, { signal: 'SIGQUIT', graceSeconds: 3 });
  rmSync(parent, { recursive: true, force: true });
});

async function start(dataDir: string, notices: string[] = []): Promise<EmbeddedPostgres & { launched: LaunchedProcess }> {
  const postgres = await prepareEmbeddedPostgres({
    dataDir,
    logFile: join(parent, 'postgres.log'),
    durable: true,
    onNotice: (n) => notices.push(n),
  });
  const launched = await launch(postgres.spec);
  running.push(launched);
  await waitUntilReady(launched);
  return { ...postgres, launched };
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('the embedded Postgres', () => {
  it('keeps its data over a crash, behind a password that only we can read', async () => {
    const first = await start(parent);
    await query(first.url, 'create table kept as select 42 as answer');
    expect(statSync(join(parent, 'postgres.password')).mode & 0o777).toBe(0o600);
    await expect(query(first.url.replace(/:[0-9a-f]{48}@/, ':wrong@'), 'select 1')).rejects.toThrow('password authentication failed');

    await endProcess(first.launched, { signal: 'SIGKILL', graceSeconds: 1 });
    const second = await start(parent);
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('ends a server that was left running on its data, and starts', async () => {
    const left = await start(parent);
    await query(left.url, 'select 1');
    const next = await start(parent);
    expect(isRunning(left.launched)).toBe(false);
    expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('the embedded Postgres where we are root', () => {
  const account = postgresAccount();

  it('keeps its data within reach of the account that it runs as', async (context) => {
    if (!account) return context.skip('only root has to run Postgres as somebody else');
    const closed = join(parent, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const notices: string[] = [];
    const postgres = await start(join(closed, 'data'), notices);
    try {
      expect(postgres.directory.startsWith(REACHABLE_ROOT)).toBe(true);
      expect(notices).toEqual([expect.stringContaining(`its data is in ${postgres.directory}`)]);
      await query(postgres.url, 'create table kept as select 1');
      // Opening the folder later does not lose the data.
      chmodSync(closed, 0o755);
      await endProcess(postgres.launched, { signal: 'SIGQUIT', graceSeconds: 3 });
      expect(await query((await start(join(closed, 'data'))).url, 'select * from kept')).toHaveLength(1);
    } finally {
      for (const launched of running) await endProcess(launched, { signal: 'SIGQUIT', graceSeconds: 3 });
      rmSync(dirname(postgres.directory), { recursive: true, force: true });
    }
  });

  it('copies binaries that the account cannot reach, once', (context) => {
    if (!account) return context.skip('only root has to run Postgres as somebody else');
    const { native } = findPostgresBinaries();
    const closed = join(parent, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    cpSync(join(native, 'bin'), join(closed, 'native', 'bin'), { recursive: true });
    const copy = reachableBinaries(account, join(closed, 'native'), 'test');
    try {
      expect(copy).toBe(join(REACHABLE_ROOT, 'postgres-test'));
      expect(canEnter(account, join(copy, 'bin'))).toBe(true);
      expect(reachableBinaries(account, join(closed, 'native'), 'test')).toBe(copy);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
