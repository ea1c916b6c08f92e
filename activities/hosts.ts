/** What the control plane knows and decides of hosts: liveness, cordons, and what must be restored after silence. */
import type { DrainReceipt, OpenRequests } from '../core/domain/drain.ts';
import type { HostService } from '../core/domain/fleet.ts';
import type { HostProbe } from '../core/domain/host-probe.ts';
import { type ReplicaState, START_ATTEMPTS } from '../core/domain/replica.ts';
import {
  type Abandoned,
  abandonedReplicas,
  abandonReplica,
  ownsEngine,
  type RunningEngine,
  recordDrained,
  recordHeardOf,
  recordSilence,
  type Silence,
  setHostService,
} from '../db/queries/host-states.ts';
import { openRequestsOn } from '../db/queries/leases.ts';
import { recordOutOfMemoryExit } from '../db/queries/monitoring-exits.ts';
import { type ReplicaRow, replicasOn } from '../db/queries/replicas.ts';
import type { EngineReport } from '../engines/host.ts';
import { outOfMemoryLine } from '../engines/out-of-memory.ts';
import type { ControlDeps } from './deps.ts';

export type { Silence } from '../db/queries/host-states.ts';

/** A replica as a drain of its host sees it. */
export interface ReplicaHere extends OpenRequests {
  id: string;
  state: ReplicaState;
  /** Some move is taking it away. */
  leaving: boolean;
}

/** Does the host take new work? Not while engines run there that nobody owns, nor before somebody declares it. */
export type HostStanding = 'alive' | 'unclean' | 'undeclared';

/** Engines to start again, each as its next generation, and generations to end and to close: nobody owns them any more. */
export interface HostReconciliation {
  restore: { replicaId: string; generation: number }[];
  orphans: { replicaId: string; generation: number }[];
  /** null where there are orphans: it is recorded once they have been ended. */
  standing: HostStanding | null;
}

export function createHostRecordActivities({ db }: ControlDeps) {
  return {
    /** The host is heard of, and says what accelerators it finds and which engines run there. */
    async recordAlive(host: string, running: RunningEngine[], probe?: HostProbe): Promise<HostStanding> {
      return recordHeardOf(db, host, running, probe);
    },

    /**
     * Compares what runs on a host with what should; where nothing is to be ended there, it is recorded as heard of in the same go. What ended
     * for want of memory is recorded on the way, for monitoring.
     */
    async reconcileHost(host: string, engines: EngineReport[], probe?: HostProbe): Promise<HostReconciliation> {
      const replicas = await replicasOn(db, host);
      for (const exit of outOfMemory(replicas, engines)) await recordOutOfMemoryExit(db, { host, ...exit });
      const running = engines.filter((e) => e.state === 'running');
      // No later attempt to start them that is still on its way may find its generation open.
      const closed = (await abandonedReplicas(db, host)).map((r) => ({
        replicaId: r.id,
        // One that was being reloaded may run as a later generation than was recorded.
        generation: Math.max(r.generation + START_ATTEMPTS, ...running.filter((e) => e.replicaId === r.id).map((e) => e.generation)),
      }));
      const isRunning = (id: string, generation: number) => running.some((e) => e.replicaId === id && e.generation >= generation);
      const unowned = running.filter((e) => !ownsEngine(replicas, e) && !closed.some((c) => c.replicaId === e.replicaId));
      const orphans = [...closed, ...unowned.map(({ replicaId, generation }) => ({ replicaId, generation }))];
      return {
        restore: replicas
          .filter((r) => (r.state === 'ready' || r.state === 'unroutable') && !isRunning(r.id, r.generation))
          .map((r) => ({ replicaId: r.id, generation: r.generation + 1 })),
        orphans,
        standing: orphans.length > 0 ? null : await recordHeardOf(db, host, running, probe),
      };
    },

    /**
     * The host is silent, for so long that `proposed` may be concluded.
     * @returns what is concluded; null for a host that nobody has declared
     */
    async recordSilence(host: string, proposed: Silence['liveness'], reason: string): Promise<Silence | null> {
      return recordSilence(db, host, proposed, reason);
    },

    /** Ends a replica of a lost host. @returns why nothing is left to do; false where its host is not lost: then it can leave as others do */
    async abandonReplica(replicaId: string, reason: string): Promise<Abandoned | false> {
      return abandonReplica(db, replicaId, reason);
    },

    async setHostService(host: string, service: HostService, reason: string): Promise<void> {
      await setHostService(db, host, service, reason);
    },

    /** Replicas that have not ended, with what is open on each. */
    async replicasOnHost(host: string): Promise<ReplicaHere[]> {
      const rows = await replicasOn(db, host);
      const requests = await openRequestsOn(
        db,
        rows.map((r) => r.id),
      );
      return rows.map(({ id, state, move }, i) => ({ id, state, leaving: move?.leaves === true, ...requests[i]! }));
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
