/**
 * A Postgres of our own, for `uellm up` and for tests: real binaries from npm, on loopback, with a random password that lies
 * beside its data. Give `DATABASE_URL` instead and none of this runs.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { processStartTime } from '../../engines/process-identity.ts';
import { inheritedVariables } from '../environment/for-children.ts';
import { endProcess, type ProcessSpec } from '../processes/launch.ts';
import { freePort } from '../processes/ports.ts';
import { type Account, postgresAccount, reachableBinaries, reachableDataDir } from './postgres-account.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';

const USER = 'uellm';
const DATABASE = 'uellm';

export interface EmbeddedPostgres {
  url: string;
  /** Where its data really is; not under the given folder when its account cannot reach that. */
  directory: string;
  /** Started and supervised by the caller. */
  spec: ProcessSpec;
}

export interface EmbeddedPostgresOptions {
  /** Folder of the whole installation; Postgres takes `postgres/` and `postgres.password` in it. */
  dataDir: string;
  logFile: string;
  /** false for tests: nothing survives a power cut, everything is quicker. */
  durable: boolean;
  /** Where it listens; a free port without it. */
  port?: number;
  /** Told what an operator should know, e.g. that the data lies elsewhere. */
  onNotice?: (message: string) => void;
}

/** Makes everything ready to start: initialises the data folder once, picks a port. */
export async function prepareEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  mkdirSync(options.dataDir, { recursive: true });
  const account = postgresAccount();
  const found = findPostgresBinaries();
  const native = reachableBinaries(account, found.native, found.version);
  const directory = reachableDataDir(account, options.dataDir, 'postgres');
  if (account && dirname(directory) !== options.dataDir) {
    options.onNotice?.(`Postgres runs as user '${account.name}', who cannot enter ${options.dataDir}: its data is in ${directory}`);
  }
  const password = ensurePassword(join(options.dataDir, 'postgres.password'));
  if (!existsSync(join(directory, 'PG_VERSION'))) initialise(native, directory, password, account, options.durable);
  const port = options.port ?? (await freePort());
  const url = `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
  return {
    url,
    directory,
    spec: {
      name: 'postgres',
      command: join(native, 'bin', 'postgres'),
      args: ['-D', directory, '-p', String(port), ...settings(options.durable).flatMap((s) => ['-c', s])],
      env: { ...inheritedVariables('PATH'), LC_ALL: 'C', TZ: 'UTC' },
      account,
      logFile: options.logFile,
      stopSignal: 'SIGINT', // "fast": disconnects clients, writes a checkpoint
      stopGraceSeconds: 10,
      prepare: () => endLeftover(directory),
      ready: () => serves(url),
      readyWithinSeconds: 30,
    },
  };
}

function settings(durable: boolean): string[] {
  return [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'log_min_messages=warning',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
}

function ensurePassword(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

/** initdb in a folder aside that is renamed when whole, so that an interrupted one leaves nothing that looks initialised. */
function initialise(native: string, directory: string, password: string, account: Account | undefined, durable: boolean): void {
  const partial = `${directory}.initialising`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { mode: 0o700 });
  const passwordFile = join(partial, 'password');
  const cluster = join(partial, 'cluster');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account) for (const path of [partial, passwordFile]) chownSync(path, account.uid, account.gid);
  const flags = [
    '--username',
    USER,
    '--pwfile',
    passwordFile,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const done = spawnSync(join(native, 'bin', 'initdb'), ['--pgdata', cluster, ...flags, ...(durable ? [] : ['--no-sync'])], {
    encoding: 'utf8',
    cwd: '/',
    env: { ...inheritedVariables('PATH'), LC_ALL: 'C' },
    ...(account && { uid: account.uid, gid: account.gid }),
  });
  if (done.status !== 0) throw new Error(`initdb failed in ${cluster}: ${done.error?.message ?? done.stderr.trim()}`);
  renameSync(cluster, directory);
  rmSync(partial, { recursive: true });
}

/** postmaster.pid, by line: pid, data folder, start time (Unix seconds), port, ... It stays behind after a crash. */
async function endLeftover(directory: string): Promise<void> {
  const file = join(directory, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const startTime = processStartTime(pid);
  if (startTime !== null && commandLine(pid).includes(directory)) {
    await endProcess({ pid, startTime }, { signal: 'SIGINT', graceSeconds: 10 });
  }
  // What is left names a pid that is gone, or one that meanwhile belongs to somebody else, over which Postgres would stumble.
  rmSync(file, { force: true });
}

function commandLine(pid: number): string {
  return spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
}

/** Answers queries; makes the database on the first occasion. */
async function serves(url: string): Promise<boolean> {
  const admin = new URL(url);
  admin.pathname = '/postgres';
  const client = new pg.Client({ connectionString: admin.href, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(DATABASE)}`);
    return true;
  } finally {
    await client.end();
  }
}
