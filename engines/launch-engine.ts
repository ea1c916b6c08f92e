/**
 * Launching one engine: claim its accelerators and a port, write down the intent, start the process, write down its identity. Whatever is
 * interrupted in between leaves an intent without a process, or a marked process that no record owns: the next sweep ends it (orphans.ts).
 */
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { conflict, messageOf, UellmError } from '../core/domain/errors.ts';
import { awaitMemoryFree } from './accelerator-memory.ts';
import type { EngineSpec, EngineState } from './driver.ts';
import type { EndOptions } from './end-engine.ts';
import { engineEnvironment } from './environment.ts';
import { isLocked, withLock } from './file-lock.ts';
import { driverFor, driverOfKind, type HostContext, identityOf, isLive, processKey } from './host-context.ts';
import { lastLogLines, logName, pruneLogs } from './log-files.ts';
import { markEnvironment, noteLaunch } from './marked-processes.ts';
import { freePort } from './ports.ts';
import { endProcess, launchDetached } from './process.ts';
import { type EngineIntent, type EngineRecord, isLaunched } from './state-files.ts';

/** Someone else may bind the port between our look and the engine's. */
const PORT_ATTEMPTS = 5;
/** An engine that cannot have its port says so and exits; the quick ones within this time. */
const SETTLE_MS = 250;

/**
 * Launches the engine; it need not serve yet. The caller holds the replica's lock and has ended what ran before.
 * @throws conflict where another engine of this host holds one of its accelerators, or anyone their memory; engine-failed where the command cannot be run
 */
export async function launchEngine(host: HostContext, spec: EngineSpec, wait: Omit<EndOptions, 'graceSeconds'> = {}): Promise<EngineState> {
  for (let attempt = 1; ; attempt++) {
    const intent = await withLock(host.files.hostLockFile, () => claim(host, spec));
    const state = await spawnEngine(host, intent, wait);
    if (attempt === PORT_ATTEMPTS || !(await lostItsPort(host, state))) return state;
    host.logger.warn(
      { replicaId: spec.replicaId, endpoint: state.endpoint },
      'the port of an engine was taken by someone else; trying another',
    );
  }
}

/** Chooses and records what no two engines may share. Under the host's lock. */
async function claim(host: HostContext, spec: EngineSpec): Promise<EngineIntent & EngineRecord> {
  const others = (await host.files.listRecords()).filter((record) => record.spec.replicaId !== spec.replicaId);
  for (const other of others) {
    const shared = other.spec.accelerators.find((index) => spec.accelerators.includes(index));
    if (shared !== undefined && (await holdsAccelerators(host, other))) {
      const { replicaId, generation } = other.spec;
      throw conflict('accelerator', `${spec.host}/${shared}`, `held by the engine of replica ${replicaId}, generation ${generation}`);
    }
  }
  const port = await freePort(host.address, new Set(others.flatMap((record) => portsOf(host, record))), driverFor(host, spec).portOffsets);
  const startedAtMs = Date.now();
  const intent = {
    spec,
    pid: null,
    processStartTime: null,
    endpoint: `http://${isIPv6(host.address) ? `[${host.address}]` : host.address}:${port}`,
    startedAtMs,
    logFile: `${host.files.logDirectory}/${logName(spec.replicaId, spec.generation, startedAtMs)}`,
    endAskedAtMs: null,
  };
  await host.files.writeRecord(intent);
  await pruneLogs(host.files.logDirectory, new Set([intent, ...others].map((record) => record.logFile)));
  return intent;
}

function portsOf(host: HostContext, { endpoint, spec }: EngineRecord): number[] {
  const port = Number(new URL(endpoint).port);
  return [0, ...(driverOfKind(host.drivers, spec.engine)?.portOffsets ?? [])].map((offset) => port + offset);
}

/** A launch in progress holds them as much as a process does. */
async function holdsAccelerators(host: HostContext, record: EngineRecord): Promise<boolean> {
  return isLaunched(record) ? isLive(record) : isLocked(host.files.lockFile(record.spec.replicaId));
}

async function spawnEngine(
  host: HostContext,
  intent: EngineIntent & EngineRecord,
  wait: Omit<EndOptions, 'graceSeconds'>,
): Promise<EngineState> {
  const { spec, endpoint, logFile } = intent;
  try {
    // The record holds the accelerators meanwhile: of two that want them, one waits here and the other is refused.
    await awaitMemoryFree(host.memory, spec, wait);
    const bind = { address: host.address, port: Number(new URL(endpoint).port) };
    const { command, args, env } = await driverFor(host, spec).launch(spec, bind);
    const marks = markEnvironment(host.files.directory, spec);
    const launched = await launchDetached({ command, args, env: { ...engineEnvironment(host.env), ...env, ...marks }, logFile }).catch(
      (cause) => {
        throw new UellmError({ kind: 'engine-failed', replicaId: spec.replicaId, reason: messageOf(cause) }, { cause });
      },
    );
    noteLaunch();
    host.exits.set(processKey(launched.identity), launched.exited);
    const state = { ...intent, pid: launched.identity.pid, processStartTime: launched.identity.startTime };
    await host.files.writeRecord(state).catch(async (cause) => {
      await endProcess(launched.identity, { deadlineMs: 0 });
      throw cause;
    });
    host.logger.info({ replicaId: spec.replicaId, generation: spec.generation, pid: state.pid, endpoint, logFile }, 'engine launched');
    return state;
  } catch (error) {
    await host.files.removeRecord(spec.replicaId);
    throw error;
  }
}

async function lostItsPort(host: HostContext, state: EngineState): Promise<boolean> {
  const exit = host.exits.get(processKey(identityOf(state)));
  const exited = await Promise.race([exit, delay(SETTLE_MS)]);
  if (!exited) return false;
  return /EADDRINUSE|address already in use|Socket '[^']*' already in use/i.test((await lastLogLines(state.logFile)).join('\n'));
}
