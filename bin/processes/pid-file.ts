/** Pid files: which process holds a place. They name a process by pid and start time, so a stale one is told from a live one. */
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRunning, type ProcessIdentity } from '../../engines/process-identity.ts';

export interface RecordedProcess extends ProcessIdentity {
  /** What ends it politely. */
  stopSignal: NodeJS.Signals;
}

export function writePidFile(file: string, { pid, startTime, stopSignal }: RecordedProcess): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify({ pid, startTime, stopSignal }));
}

/** Once the process that it names was ended. */
export function removePidFile(file: string): void {
  rmSync(file, { force: true });
}

/** The process that a pid file names, if that very process still runs. */
export function readPidFile(file: string): RecordedProcess | undefined {
  try {
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as RecordedProcess;
    return Number.isInteger(recorded.pid) && isRunning(recorded) ? recorded : undefined;
  } catch {
    return undefined; // absent, or cut short by a crash
  }
}

/**
 * Takes a place that only one process may hold at a time.
 * @returns how to give it back, or who holds it
 */
export function claimPidFile(file: string, self: RecordedProcess): { release: () => void } | { holder: ProcessIdentity } {
  for (;;) {
    mkdirSync(dirname(file), { recursive: true });
    try {
      writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
      return { release: () => release(file) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') continue; // another one has just released it, and its folder with it
      if (code !== 'EEXIST') throw error;
    }
    const holder = readPidFile(file);
    if (holder) return { holder };
    rmSync(file, { force: true });
  }
}

/** A folder that held nothing else goes as well. */
function release(file: string): void {
  removePidFile(file);
  removeIfEmpty(dirname(file));
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // something is kept there
  }
}
