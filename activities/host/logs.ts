/** The end of a log that lies on this host, for whoever looks into what happened there. */
import type { LogTail } from '../../core/domain/log-tail.ts';
import type { HostDeps } from './deps.ts';

/** Well below what Temporal takes as one answer (2 MiB; it warns from 256 KiB on). */
const MOST_BYTES = 192 * 1024;

export function createLogActivities({ engines, workerLog }: Pick<HostDeps, 'engines' | 'workerLog'>) {
  return {
    /**
     * Oldest line first.
     * @param replicaId whose engine's log; null for that of the host worker itself
     * @param lines at most
     * @throws not-found where the host has no log of that replica
     */
    async readLog(replicaId: string | null, lines: number): Promise<LogTail> {
      if (replicaId !== null) return engines.log(replicaId, lines, MOST_BYTES);
      return { source: 'host worker', lines: withinBytes(workerLog().slice(-lines)) };
    },
  };
}

/** The newest of them that fit. */
function withinBytes(lines: readonly string[]): string[] {
  let bytes = 0;
  const first = lines.findLastIndex((line) => {
    bytes += Buffer.byteLength(line) + 1;
    return bytes > MOST_BYTES;
  });
  return lines.slice(first + 1);
}
