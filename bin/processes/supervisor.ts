/**
 * Keeps a set of processes running: starts them, notices when one ends, starts it again with growing pauses, and ends them when told.
 * Each one has a pid file, so that after a crash of the supervisor itself the next one finds and ends what was left.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../core/domain/errors.ts';
import { endProcess, type LaunchedProcess, launch, type ProcessSpec, waitUntilReady } from './launch.ts';
import { readPidFile, removePidFile, writePidFile } from './pid-file.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A process that ran this long before it ended begins again with the shortest pause. */
const STEADY_AFTER_MS = 30_000;

export interface SupervisorOptions {
  /** Folder of the pid files. */
  runDir: string;
  /** Told in one sentence when a process ended unasked, and when it is back. */
  onEvent: (message: string) => void;
  /** Once it is aborted nothing is started any more; what runs is for `stop` to end. */
  signal: AbortSignal;
}

interface Watched {
  spec: ProcessSpec;
  current: LaunchedProcess | undefined;
  stopping: AbortController;
  watching: Promise<void>;
}

export type ProcessState = 'running' | 'restarting';

export interface Supervisor {
  /** Starts a process and returns once it serves. @throws when it does not on its first start */
  start(spec: ProcessSpec): Promise<void>;
  /** Ends one process, or nothing when it was never started. */
  stop(name: string, hurry?: AbortSignal): Promise<void>;
  states(): Record<string, ProcessState>;
}

export function createSupervisor({ runDir, onEvent, signal }: SupervisorOptions): Supervisor {
  const watched = new Map<string, Watched>();
  const pidFile = (name: string) => join(runDir, `${name}.pid`);

  async function launchRecorded(spec: ProcessSpec): Promise<LaunchedProcess> {
    const launched = await launch(spec);
    writePidFile(pidFile(spec.name), { pid: launched.pid, startTime: launched.startTime, stopSignal: spec.stopSignal });
    return launched;
  }

  /** Runs until `stopping`: waits for an end, pauses, starts again. */
  async function watch(entry: Watched): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    let since = Date.now();
    for (;;) {
      const how = await entry.current?.exited;
      if (entry.stopping.signal.aborted) return;
      if (how !== undefined) onEvent(`${entry.spec.name} ended (${how}) and is started again; see ${entry.spec.logFile}`);
      pauseMs = Date.now() - since > STEADY_AFTER_MS ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      entry.current = undefined;
      await delay(pauseMs, undefined, { signal: entry.stopping.signal }).catch(() => undefined);
      if (entry.stopping.signal.aborted) return;
      try {
        since = Date.now();
        entry.current = await launchRecorded(entry.spec);
        await waitUntilReady(entry.current, entry.stopping.signal);
        onEvent(`${entry.spec.name} is back`);
      } catch (error) {
        if (entry.stopping.signal.aborted) return;
        onEvent(messageOf(error));
        if (entry.current) await endProcess(entry.current, stopOptions(entry.spec));
      }
    }
  }

  return {
    async start(spec) {
      signal.throwIfAborted();
      const entry: Watched = { spec, current: await launchRecorded(spec), stopping: new AbortController(), watching: Promise.resolve() };
      watched.set(spec.name, entry);
      await waitUntilReady(entry.current!, AbortSignal.any([entry.stopping.signal, signal]));
      entry.watching = watch(entry);
    },

    async stop(name, hurry) {
      const entry = watched.get(name);
      if (!entry) return;
      entry.stopping.abort();
      if (entry.current) await endProcess(entry.current, { ...stopOptions(entry.spec), hurry });
      await entry.watching;
      // A start that was under way when the end was asked for.
      if (entry.current) await endProcess(entry.current, { ...stopOptions(entry.spec), hurry });
      removePidFile(pidFile(name));
      watched.delete(name);
    },

    states: () =>
      Object.fromEntries([...watched].map(([name, { current }]) => [name, current && !current.hasExited() ? 'running' : 'restarting'])),
  };
}

/** Ends whatever the pid files of a folder name and still runs, and removes them. Returns the names. */
export async function endLeftovers(runDir: string): Promise<string[]> {
  const files = pidFilesIn(runDir);
  const found = files.flatMap((file) => {
    const identity = readPidFile(join(runDir, file));
    return identity ? [{ name: basename(file, '.pid'), identity }] : [];
  });
  await Promise.all(found.map(({ identity }) => endProcess(identity, { signal: identity.stopSignal, graceSeconds: 5 })));
  for (const file of files) removePidFile(join(runDir, file));
  return found.map(({ name }) => name);
}

function pidFilesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((file) => file.endsWith('.pid'));
  } catch {
    return []; // the first start
  }
}

const stopOptions = (spec: ProcessSpec) => ({ signal: spec.stopSignal, graceSeconds: spec.stopGraceSeconds });
