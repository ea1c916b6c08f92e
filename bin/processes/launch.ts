/**
 * Starts and ends processes that must outlive a Ctrl-C in our terminal until we end them ourselves: each one leads a process
 * group of its own, writes to a log file and is known by pid and start time.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, type ProcessIdentity, processStartTime } from '../../engines/process-identity.ts';

export interface ProcessSpec {
  /** What people call it: `postgres`, `gateway`. */
  name: string;
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Runs as this account instead of ours; only root may ask for it. */
  account?: { uid: number; gid: number } | undefined;
  logFile: string;
  /** The polite signal. */
  stopSignal: NodeJS.Signals;
  /** Seconds between the polite signal and SIGKILL. */
  stopGraceSeconds: number;
  /** Clears the way before each start, e.g. of what a crash left behind. */
  prepare?(): Promise<void>;
  /** One look at whether it serves; a rejection means not yet. Absent for our own roles, which say so themselves. */
  ready?(): Promise<boolean>;
  /** Longest time from its start until it serves, seconds. */
  readyWithinSeconds: number;
}

export interface LaunchedProcess extends ProcessIdentity {
  spec: ProcessSpec;
  /** Resolves when it has ended, however that came about: `exit code 1`, `SIGKILL`. */
  exited: Promise<string>;
  hasExited(): boolean;
  isReady(): Promise<boolean>;
}

/** What a role sends its supervisor once it serves. */
export const READY_MESSAGE = 'ready';

/** Starts the process; it need not serve yet. @throws when the command cannot be run at all */
export async function launch(spec: ProcessSpec): Promise<LaunchedProcess> {
  await spec.prepare?.();
  const log = openLog(spec.logFile);
  try {
    const child = spawn(spec.command, spec.args, {
      detached: true,
      stdio: ['ignore', log, log, ...(spec.ready ? [] : (['ipc'] as const))],
      env: spec.env,
      ...spec.account,
    });
    // Read in the same tick: a process that ends at once cannot be reaped before.
    const startTime = (child.pid && processStartTime(child.pid)) || 'ended at once';
    let ended = false;
    let announced = false;
    child.on('message', (message) => {
      announced ||= message === READY_MESSAGE;
    });
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => {
        ended = true;
        resolve(signal ?? `exit code ${code}`);
      });
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid!));
      child.once('error', (cause) => reject(new Error(`${spec.name} cannot be started: ${spec.command}: ${cause.message}`, { cause })));
    });
    return {
      spec,
      pid,
      startTime,
      exited,
      hasExited: () => ended,
      isReady: spec.ready ?? (async () => announced),
    };
  } finally {
    closeSync(log);
  }
}

/** A log that has grown large makes way for a new one, and is kept until that has grown as well. */
const LARGE_LOG_BYTES = 32 * 1024 * 1024;

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LARGE_LOG_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a');
}

/** Waits until a launched process serves. @throws when it ends, takes too long (with the end of its log), or `signal` says so */
export async function waitUntilReady(launched: LaunchedProcess, signal?: AbortSignal): Promise<void> {
  const { spec } = launched;
  const deadline = Date.now() + spec.readyWithinSeconds * 1000;
  let reason = 'it does not answer';
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    if (launched.hasExited()) {
      throw new Error(`${spec.name} ended while it started (${await launched.exited}); ${logTail(spec.logFile)}`);
    }
    try {
      if (await launched.isReady()) return;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    await delay(50);
  }
  throw new Error(`${spec.name} is not ready after ${spec.readyWithinSeconds} s: ${reason}; ${logTail(spec.logFile)}`);
}

/**
 * Ends a process and what it started in its group: politely, then by SIGKILL. Returns once it is gone.
 * @param graceSeconds seconds between the two signals
 */
export async function endProcess(
  identity: ProcessIdentity,
  options: { signal: NodeJS.Signals; graceSeconds: number; hurry?: AbortSignal | undefined },
): Promise<void> {
  if (!isRunning(identity)) return;
  signalProcess(identity.pid, options.signal);
  const deadline = Date.now() + options.graceSeconds * 1000;
  while (isRunning(identity) && Date.now() < deadline && !options.hurry?.aborted) await delay(20);
  if (!isRunning(identity)) return;
  signalProcess(-identity.pid, 'SIGKILL');
  while (isRunning(identity)) await delay(20);
}

/** @param target a pid, or a group as a negative number; one that is gone is no error */
function signalProcess(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The last lines of a log on one line, for errors. */
export function logTail(file: string, bytes = 600): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const { size } = statSync(file);
      const buffer = Buffer.alloc(Math.min(bytes, size));
      readSync(fd, buffer, 0, buffer.length, size - buffer.length);
      return `its log ${file} ends with: ${buffer.toString('utf8').trim().replaceAll('\n', ' | ') || '(nothing)'}`;
    } finally {
      closeSync(fd);
    }
  } catch {
    return `it left no log in ${file}`;
  }
}
