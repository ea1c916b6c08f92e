/** Processor time and memory of processes, from /proc. Linux only. */
import { readFileSync } from 'node:fs';
import { descendants } from '../../test/support/installation.ts';

export interface Usage {
  /** Since the process began, with its children that have ended. */
  cpuSeconds: number;
  /** Shared pages in equal parts (PSS). */
  memoryBytes: number;
}

/** Of a process and all below it; what has ended meanwhile counts with its parent. */
export function usageOf(pid: number): Usage {
  const all = [pid, ...descendants(pid)].map(ownUsage);
  return { cpuSeconds: sum(all.map((u) => u.cpuSeconds)), memoryBytes: sum(all.map((u) => u.memoryBytes)) };
}

function ownUsage(pid: number): Usage {
  try {
    return {
      cpuSeconds: parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      memoryBytes: parsePssBytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')),
    };
  } catch {
    return { cpuSeconds: 0, memoryBytes: 0 };
  }
}

/** Of Linux on every architecture that we know; proc(5) calls it `sysconf(_SC_CLK_TCK)`. */
const TICKS_PER_SECOND = 100;

/** `/proc/<pid>/stat`: fields 14 to 17 are user and system time, of its own and of children that were waited for. Source: proc(5). */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return sum(fields.slice(11, 15).map(Number)) / TICKS_PER_SECOND;
}

/** `/proc/<pid>/smaps_rollup`: `Pss:  123 kB`. */
export function parsePssBytes(rollup: string): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
