/**
 * Which process a pid means. A pid is reused sooner or later; together with its start time it names one process for good. Whatever
 * reads a pid from a file checks both before it believes or signals it.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** As the kernel tells it; opaque, compared for equality only. */
  startTime: string;
}

/** Start time of a process; null when there is none, or only a zombie that waits to be reaped. */
export function processStartTime(pid: number): string | null {
  return process.platform === 'linux' ? (readProcessStat(pid)?.startTime ?? null) : psStartTime(pid);
}

/** Does exactly this process still run? */
export function isRunning(identity: ProcessIdentity): boolean {
  return processStartTime(identity.pid) === identity.startTime;
}

/**
 * A living process as Linux describes it, or null. Source: proc(5), `/proc/<pid>/stat`: field 3 is the state, 5 the process group, 22
 * the start in clock ticks since boot. Field 2, the name, may itself contain blanks and parentheses.
 */
export function readProcessStat(pid: number): { startTime: string; group: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , group, ...later] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? null : { startTime: `${bootId()}:${later[16]}`, group: Number(group) };
  } catch {
    return null;
  }
}

/** All pids, on Linux. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

let cachedBootId: string | undefined;
/** Ticks and pids begin again with each boot: state files outlive it, engines do not. */
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
