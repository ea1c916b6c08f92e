/** What the control plane knows and decides of hosts: liveness, cordons, and what must be restored after silence. */
import type { DrainReceipt } from '../core/domain/drain.ts';
import type { HostLiveness, HostService } from '../core/domain/fleet.ts';
import type { HostProbe } from '../core/domain/host-probe.ts';
import { recordDrained, recordLiveness, setHostService, silentShare } from '../db/queries/host-states.ts';
import { recordOutOfMemoryExit } from '../db/queries/monitoring-exits.ts';
import { type ReplicaRow, replicasOn } from '../db/queries/replicas.ts';
import type { EngineReport } from '../engines/host.ts';
import { outOfMemoryLine } from '../engines/out-of-memory.ts';
import type { ControlDeps } from './deps.ts';

/** Engines to start again, each as its next generation, and engines that nobody owns any more. */
export interface HostReconciliation {
  restore: { replicaId: string; generation: number }[];
  orphans: { replicaId: string; generation: number }[];
}

/** When more of the fleet than this falls silent together, it is we who are away. */
const MASS_SILENCE = 0.3;

export function createHostRecordActivities({ db }: ControlDeps) {
  return {
    /** The host is heard of, and says what accelerators it finds. @returns false for a host that nobody has declared */
    async recordAlive(host: string, probe?: HostProbe): Promise<boolean> {
      return recordLiveness(db, host, 'alive', '', probe);
    },

    /**
     * Compares what runs on a host with what should. Decides only; the presence workflow acts. What ended for want of memory is recorded on
     * the way, for monitoring.
     */
    async reconcileHost(host: string, engines: EngineReport[]): Promise<HostReconciliation> {
      const replicas = await replicasOn(db, host);
      for (const exit of outOfMemory(replicas, engines)) await recordOutOfMemoryExit(db, { host, ...exit });
      const running = engines.filter((e) => e.state === 'running');
      const isRunning = (id: string, generation: number) => running.some((e) => e.replicaId === id && e.generation >= generation);
      return {
        restore: replicas
          .filter((r) => (r.state === 'ready' || r.state === 'unroutable') && !isRunning(r.id, r.generation))
          .map((r) => ({ replicaId: r.id, generation: r.generation + 1 })),
        orphans: running
          .filter((e) => !replicas.some((r) => r.id === e.replicaId && r.generation <= e.generation))
          .map(({ replicaId, generation }) => ({ replicaId, generation })),
      };
    },

    /** @returns false where so many hosts are silent together that nothing should be concluded from it */
    async recordSilence(host: string, liveness: Extract<HostLiveness, 'suspect' | 'lost'>, reason: string): Promise<boolean> {
      if (liveness === 'lost' && (await silentShare(db)) > MASS_SILENCE) return false;
      await recordLiveness(db, host, liveness, reason);
      return true;
    },

    async setHostService(host: string, service: HostService, reason: string): Promise<void> {
      await setHostService(db, host, service, reason);
    },

    async replicasOnHost(host: string): Promise<{ id: string; state: string; deployment: string }[]> {
      const rows = await replicasOn(db, host);
      return rows.map(({ id, state, deployment }) => ({ id, state, deployment }));
    },

    async recordDrained(host: string, receipt: DrainReceipt): Promise<void> {
      await recordDrained(db, host, receipt);
    },
  };
}

/** Engines that ended for want of memory while they were meant to run: one that is being stopped may be killed for other reasons. */
function outOfMemory(replicas: readonly ReplicaRow[], engines: readonly EngineReport[]) {
  return engines.flatMap(({ replicaId, generation, state, detail }) => {
    const replica = replicas.find((r) => r.id === replicaId && r.generation === generation);
    const reason = state === 'exited' && replica && replica.state !== 'draining' ? outOfMemoryLine(detail) : null;
    return reason === null ? [] : [{ replicaId, generation, reason }];
  });
}
