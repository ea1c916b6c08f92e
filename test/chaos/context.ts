/** What faults and operations work on. */
import type { Installation } from '../support/installation.ts';
import type { Applied } from './outcomes.ts';

export interface ChaosContext {
  installation: Installation;
  deployments: readonly string[];
  /** How the disk of a host is filled. */
  disk: 'tmpfs' | 'file-size limit';
  /** What a fault or an operation has its hands on; another that wants the same waits. */
  busy: Set<string>;
  applied: Applied[];
  log: (line: string) => void;
}

/** The target that a draw, from 0 to below 1, names: the same each time, whatever else is going on. null where there are none. */
export function pick<T>(targets: readonly T[], draw: number): T | null {
  return targets[Math.floor(draw * targets.length)] ?? null;
}
