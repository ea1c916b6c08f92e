/** Pid files: which process holds a place. They name a process by pid and start time, so a stale one is told from a live one. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  mkdirSync(dirname(file), { recursive: true });
  for (;;) {
    try {
      writeFileSync(file, JSON.stringify(self), { flag: 'wx' });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readPidFile(file);
    if (holder) return { holder };
    rmSync(file, { force: true });
  }
}
