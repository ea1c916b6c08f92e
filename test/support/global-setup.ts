/**
 * The servers that tests share: one Postgres, and one Temporal for the projects that need it, both real, both gone afterwards.
 * Vitest calls a setup for each project it runs, so a run of pure tests starts neither.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';
import { prepareEmbeddedPostgres } from '../../bin/embedded/postgres.ts';
import { embeddedTemporal } from '../../bin/embedded/temporal.ts';
import { findTemporalBinary } from '../../bin/embedded/temporal-binary.ts';
import { readEnvironment } from '../../bin/environment.ts';
import { endProcess, type LaunchedProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import { freePort } from '../../bin/processes/ports.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { execute, TEMPLATE_DATABASE, withDatabase } from './database.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server's own database; tests take one of their own by `createTestDatabase()`. */
    postgresUrl: string;
    /** `127.0.0.1:<port>`, namespace `default`; tests keep apart by task queues and workflow ids of their own. */
    temporalAddress: string;
    /** A file: the workflows as a worker loads them. */
    workflowBundle: string;
  }
}

interface SharedServers {
  users: number;
  directory: string;
  /** All that is to be removed. */
  directories: string[];
  processes: LaunchedProcess[];
  guard: ChildProcess;
  postgresUrl: Promise<string>;
  temporalAddress?: Promise<string>;
  workflowBundle?: Promise<string>;
}

// Each project evaluates this module anew; what they share hangs on the process.
const shared = globalThis as { uellmTestServers?: SharedServers };

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.uellmTestServers ??= createServers();
  const servers = shared.uellmTestServers;
  servers.users += 1;
  const needsTemporal = project.name === 'system' || project.name === 'engines';
  if (needsTemporal) {
    servers.temporalAddress ??= startTemporal(servers);
    servers.workflowBundle ??= bundleWorkflows(servers);
  }
  try {
    project.provide('postgresUrl', await servers.postgresUrl);
    if (servers.temporalAddress) project.provide('temporalAddress', await servers.temporalAddress);
    if (servers.workflowBundle) project.provide('workflowBundle', await servers.workflowBundle);
  } catch (error) {
    await stopServers(servers);
    throw error;
  }
  return async () => {
    servers.users -= 1;
    if (servers.users === 0) await stopServers(servers);
  };
}

function createServers(): SharedServers {
  const directory = mkdtempSync(join(tmpdir(), 'uellm-test-'));
  chmodSync(directory, 0o755); // where we are root, Postgres runs as somebody else
  const servers: SharedServers = {
    users: 0,
    directory,
    directories: [directory],
    processes: [],
    guard: startGuard(directory),
    postgresUrl: Promise.resolve(''),
  };
  servers.postgresUrl = startPostgres(servers);
  servers.postgresUrl.catch(() => undefined); // reported by whoever awaits it
  return servers;
}

async function startPostgres(servers: SharedServers): Promise<string> {
  const logFile = join(servers.directory, 'postgres.log');
  const postgres = await prepareEmbeddedPostgres({ dataDir: servers.directory, logFile, durable: false });
  if (!postgres.directory.startsWith(servers.directory)) {
    servers.directories.push(dirname(postgres.directory));
    servers.guard.stdin?.write(`${dirname(postgres.directory)}\n`);
  }
  await start(servers, await launch(postgres.spec));
  const template = withDatabase(postgres.url, TEMPLATE_DATABASE);
  await execute(postgres.url, `create database ${TEMPLATE_DATABASE}`);
  await migrateDatabase(template);
  return postgres.url;
}

async function startTemporal(servers: SharedServers): Promise<string> {
  const command = await findTemporalBinary({ cacheDir: readEnvironment().cacheDir });
  const [port, uiPort] = [await freePort(), await freePort()];
  const logFile = join(servers.directory, 'temporal.log');
  await start(servers, await launch(embeddedTemporal({ command, address: '127.0.0.1', port, uiPort, namespace: 'default', logFile })));
  return `127.0.0.1:${port}`;
}

async function bundleWorkflows(servers: SharedServers): Promise<string> {
  const file = join(servers.directory, 'workflow-bundle.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    failureConverterPath: fileURLToPath(new URL('../../workflows/encoded-failures.cjs', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  writeFileSync(file, code);
  return file;
}

async function start(servers: SharedServers, launched: LaunchedProcess): Promise<void> {
  servers.processes.push(launched);
  servers.guard.stdin?.write(`${launched.pid}\n`);
  await waitUntilReady(launched);
}

/** However this run ends (Ctrl-C, a kill), the pipe to the guard closes, and the guard ends the pids and removes the folders it was told of. */
function startGuard(directory: string): ChildProcess {
  const script =
    'while read -r line; do case "$line" in /*) set -- "$@" "$line";; *) pids="$pids $line";; esac; done; ' +
    'for pid in $pids; do kill -QUIT "$pid"; done; sleep 1; for pid in $pids; do kill -KILL -- "-$pid"; done; rm -rf "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'guard', directory], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  (child.stdin as Socket).unref();
  return child;
}

async function stopServers(servers: SharedServers): Promise<void> {
  await Promise.allSettled([servers.postgresUrl, servers.temporalAddress, servers.workflowBundle]); // whatever is still starting
  servers.guard.kill('SIGKILL');
  await Promise.all(servers.processes.map((p) => endProcess(p, { signal: 'SIGQUIT', graceSeconds: 3 })));
  for (const directory of servers.directories) rmSync(directory, { recursive: true, force: true });
  delete shared.uellmTestServers;
}
