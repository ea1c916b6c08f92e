/** A replica's way through its states, as the workflows ask for it. Each may run twice: the second run changes nothing. */
import { Context } from '@temporalio/activity';
import type { Leftover } from '../core/domain/drain.ts';
import type { ChatTemplate } from '../core/domain/routing.ts';
import type { StepTimeCoefficients } from '../core/domain/step-time.ts';
import { shapeKey } from '../core/profiler/monitor/shape-step-time.ts';
import { profileWith } from '../core/profiler/shape-agreement.ts';
import { LEASE_LIFETIME_MS, type Lease, leasesSince } from '../db/queries/leases.ts';
import { recordOutOfMemoryExit } from '../db/queries/monitoring-exits.ts';
import { stepTimeProfiles, upsertStepTimeProfile } from '../db/queries/profiler.ts';
import {
  beginGeneration,
  endReplica,
  loadReplica,
  type PublishedReplica,
  recordServing,
  replicasOfDeleted,
  replicasOfRevision,
  rerouteReplica,
  routeAsBefore,
  routeReplica,
  setReplicaState,
  unrouteReplica,
} from '../db/queries/replicas.ts';
import { replicaStepTimes } from '../db/queries/shape-step-times.ts';
import type { EngineSpec } from '../engines/driver.ts';
import { outOfMemoryLine } from '../engines/out-of-memory.ts';
import type { ControlDeps } from './deps.ts';
import { engineSpecOf } from './engine-spec.ts';

const LEAST_WAIT_MS = 5000;

export interface CalibrationResult {
  /** The fit, or what was known before where the run was too noisy to tell. */
  stepTime: StepTimeCoefficients;
  sound: boolean;
  errorPercent: number;
  kvCacheTokens: number | null;
  /** For engines that take a chat as text only; null where there is none. */
  chat: ChatTemplate | null;
}

export function createReplicaActivities({ db, now }: ControlDeps) {
  return {
    /** All that the host needs to start this replica's engine. */
    async engineSpec(replicaId: string): Promise<EngineSpec> {
      return engineSpecOf(db, await loadReplica(db, replicaId));
    },

    async setReplicaState(replicaId: string, state: 'starting' | 'warming', reason: string): Promise<void> {
      await setReplicaState(db, replicaId, state, reason);
    },

    /** @param ended how the engine of the generation before ended, in its own words; absent where there was none */
    async beginGeneration(replicaId: string, generation: number, reason: string, ended?: string): Promise<void> {
      const outOfMemory = ended === undefined ? null : outOfMemoryLine(ended);
      if (outOfMemory !== null) {
        const { host } = await loadReplica(db, replicaId);
        await recordOutOfMemoryExit(db, { replicaId, generation: generation - 1, host, reason: outOfMemory });
      }
      await beginGeneration(db, replicaId, generation, reason);
    },

    /** Records what calibration found, for this replica and, where it is sound, for the profile of its shape. */
    async recordServing(spec: EngineSpec, endpoint: string, calibration: CalibrationResult): Promise<void> {
      const published: PublishedReplica = {
        generation: spec.generation,
        endpoint,
        stepTime: calibration.stepTime,
        kvCacheTokens: calibration.kvCacheTokens ?? spec.kvCacheTokens,
        maxInFlight: spec.maxSequences,
        chat: calibration.chat,
      };
      await recordServing(db, spec.replicaId, published);
      if (calibration.sound) await recordProfile(db, spec, calibration);
    },

    /** Routes to a replica again whose engine was started anew: its share and its coefficients are those it had. */
    async rerouteReplica(replicaId: string, generation: number, endpoint: string): Promise<void> {
      await rerouteReplica(db, replicaId, generation, endpoint);
    },

    /** Sends traffic to replicas of a deployment: `weights` is replica id → share. */
    async routeReplicas(weights: Record<string, number>, reason: string): Promise<void> {
      for (const [replicaId, weight] of Object.entries(weights)) await routeReplica(db, replicaId, weight, reason);
    },

    /** Do gateways send it requests, as far as the database says? */
    async isRouted(replicaId: string): Promise<boolean> {
      const { state, weight } = await loadReplica(db, replicaId);
      return state === 'ready' && weight > 0;
    },

    /** Ids of the serving replicas of a deployment, of this revision or of all others. */
    async servingReplicas(deployment: string, revision: number, which: 'this' | 'others'): Promise<string[]> {
      const rows = await replicasOfRevision(db, deployment, revision, which);
      return rows.filter((r) => r.state === 'ready').map((r) => r.id);
    },

    /** Ids of all living replicas of a deployment, of this revision or of all others, whatever their state. */
    async livingReplicas(deployment: string, revision: number, which: 'this' | 'others'): Promise<{ id: string; host: string }[]> {
      const rows = await replicasOfRevision(db, deployment, revision, which);
      return rows.map((r) => ({ id: r.id, host: r.host }));
    },

    /** The living replicas that a deleted deployment has left; not those of one that was declared again by its name. */
    async replicasOfDeleted(deployment: string): Promise<{ id: string; host: string }[]> {
      return (await replicasOfDeleted(db, deployment)).map(({ id, host }) => ({ id, host }));
    },

    /** Stops routing to a replica. Answers with the routing version that says so. */
    async unrouteReplica(replicaId: string, reason: string): Promise<UnroutedReplica> {
      const { routingVersion, since } = await unrouteReplica(db, replicaId, reason);
      const { host, generation } = await loadReplica(db, replicaId);
      return { routingVersion, sinceMs: since.getTime(), host, generation };
    },

    /** It stays after all: routed as before it was unrouted. */
    async routeAsBefore(replicaId: string, reason: string): Promise<void> {
      await routeAsBefore(db, replicaId, reason);
    },

    /**
     * Waits until every live gateway routes by `routingVersion` or later and has nothing open on the replica. Heartbeats the count that is
     * still open.
     * @param untilMs since the epoch: what is open then is waited for no longer, once every gateway has acknowledged. One that is unrouted
     * after that has a few seconds all the same: most requests take no longer
     * @returns how the requests ended, or did not, that were open on it when it was unrouted
     */
    async awaitRequestsFinished(
      replicaId: string,
      { routingVersion, sinceMs }: UnroutedReplica,
      untilMs: number | null,
    ): Promise<RequestsLeft> {
      const context = Context.current();
      for (;;) {
        const leases = await leasesSince(db, new Date(sinceMs), LEASE_LIFETIME_MS);
        const behind = leases.filter((l) => l.isLive && l.routingVersion < routingVersion);
        const left = requestsLeft(leases, replicaId);
        const isLate = untilMs !== null && now() >= Math.max(untilMs, sinceMs + LEAST_WAIT_MS);
        if (behind.length === 0 && (left.open === 0 || isLate)) return left;
        context.heartbeat({ open: left.open, gatewaysBehind: behind.map((l) => l.gatewayId) });
        await context.sleep(250);
      }
    },

    async endReplica(replicaId: string, state: 'stopped' | 'failed', reason: string): Promise<void> {
      await endReplica(db, replicaId, state, reason);
    },
  };
}

/** One replica that is slow for reasons of its own is not what planning and the next replicas begin with. */
async function recordProfile(db: ControlDeps['db'], spec: EngineSpec, { stepTime, errorPercent }: CalibrationResult): Promise<void> {
  const shape = { model: spec.model, accelerator: spec.acceleratorKind, tensorParallel: spec.tensorParallel };
  const isOfShape = (other: typeof shape) => shapeKey(other) === shapeKey(shape);
  const before = (await stepTimeProfiles(db)).find(isOfShape);
  const others = (await replicaStepTimes(db)).filter((other) => other.replicaId !== spec.replicaId && isOfShape(other));
  const coefficients = profileWith(
    stepTime,
    others.map((other) => other.coefficients),
    before?.coefficients ?? null,
  );
  if (coefficients === before?.coefficients) return;
  await upsertStepTimeProfile(db, { ...shape, source: 'calibrated', coefficients, errorPercent, replicaId: spec.replicaId });
}

export interface UnroutedReplica {
  routingVersion: number;
  /** When it was unrouted, since the epoch. */
  sinceMs: number;
  host: string;
  generation: number;
}

/** Of the requests that were open on a replica when it was unrouted: how many ended how. */
export interface RequestsLeft extends Leftover {
  /** Still open. */
  open: number;
  /** Gateways that fell silent with requests open on it, and how many those were: nobody knows how they ended. */
  gatewaysLost: number;
  unknown: number;
}

function requestsLeft(leases: readonly (Lease & { isLive: boolean })[], replicaId: string): RequestsLeft {
  const left: RequestsLeft = { finished: 0, retried: 0, dropped: 0, open: 0, gatewaysLost: 0, unknown: 0 };
  for (const { isLive, inFlight, leftover } of leases) {
    const { finished = 0, retried = 0, dropped = 0 } = leftover?.[replicaId] ?? {};
    left.finished += finished;
    left.retried += retried;
    left.dropped += dropped;
    const open = inFlight[replicaId] ?? 0;
    if (isLive) left.open += open;
    else if (open > 0) {
      left.gatewaysLost += 1;
      left.unknown += open;
    }
  }
  return left;
}
