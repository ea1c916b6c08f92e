/** Engine processes that no record owns: launched just before a crash, left behind by their leader, or of a record that was lost. */
import { tryLock } from './file-lock.ts';
import { type HostContext, isLive } from './host-context.ts';
import { findMarkedProcesses, type MarkedProcess } from './marked-processes.ts';
import { endProcesses } from './process.ts';
import { isRunning } from './process-identity.ts';

/** Nobody knows what they still serve; they get this long to finish it. Workers without their leader serve nobody. */
const ORPHAN_GRACE_MS = 10_000;
const LEADERLESS_GRACE_MS = 2000;

export interface SweepOptions {
  /** A replica whose lock the caller holds: its orphans are ended too. */
  held?: string;
  /** See `findMarkedProcesses`. */
  atMostOldMs?: number;
}

/** Ends this host's orphans, and returns when they are gone. Replicas that someone is working on at the moment are passed over. */
export async function sweepOrphans(host: HostContext, { held, atMostOldMs = 0 }: SweepOptions = {}): Promise<void> {
  const marked = await findMarkedProcesses(host.files.directory, host.files.logDirectory, { atMostOldMs });
  const replicaIds = [...new Set(marked.map((p) => p.replicaId))];
  await Promise.all(
    replicaIds.map(async (replicaId) => {
      const processes = marked.filter((p) => p.replicaId === replicaId);
      if (replicaId === held) return endOrphans(host, replicaId, processes);
      const release = await tryLock(host.files.lockFile(replicaId));
      if (!release) return;
      try {
        await endOrphans(host, replicaId, processes);
      } finally {
        await release();
      }
    }),
  );
}

/** The record is read under the replica's lock: it may have been written since the processes were found. */
async function endOrphans(host: HostContext, replicaId: string, processes: MarkedProcess[]): Promise<void> {
  const record = await host.files.readRecord(replicaId);
  const owned = record && isLive(record) ? (record.launchedGeneration ?? record.spec.generation) : null;
  const orphans = processes.filter((p) => p.generation !== owned && isRunning(p));
  if (orphans.length === 0) return;
  host.logger.warn({ replicaId, pids: orphans.map((p) => p.pid) }, 'ending engine processes that no state file owns');
  const leaders = orphans.filter((p) => p.leader);
  if (leaders.length > 0) await endProcesses(orphans, leaders, ORPHAN_GRACE_MS);
  else await endProcesses(orphans, orphans, LEADERLESS_GRACE_MS);
}
