/**
 * Which process a pid means. A pid is reused sooner or later; together with its start time it names one process for good,
 * so everything that signals a process it did not just start checks both.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** As the kernel tells it; opaque, compared for equality only. */
  startTime: string;
}

/** Start time of a process; null when there is no such process or it is a zombie that only waits to be reaped. */
export function processStartTime(pid: number): string | null {
  return process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid);
}

/** Does exactly this process still run? */
export function isRunning(identity: ProcessIdentity): boolean {
  return processStartTime(identity.pid) === identity.startTime;
}

/** proc(5): field 3 of `/proc/<pid>/stat` is the state, field 22 the start in clock ticks since boot. The name before may contain blanks. */
function linuxStartTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : `${bootId()}:${fields[19]}`;
  } catch {
    return null;
  }
}

let cachedBootId: string | undefined;
/** Ticks since boot repeat after a reboot, and pids with them. */
function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return cachedBootId;
}

function psStartTime(pid: number): string | null {
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    return !state || state.startsWith('Z') ? null : started.join(' ');
  } catch {
    return null;
  }
}
