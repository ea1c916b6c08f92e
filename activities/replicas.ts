/** A replica's way through its states, as the workflows ask for it. Each may run twice: the second run changes nothing. */
import { Context } from '@temporalio/activity';
import { acceleratorKind } from '../core/domain/accelerators.ts';
import { kvCacheTokens, memorySettings } from '../core/domain/memory.ts';
import { shapeOf } from '../core/domain/model-spec.ts';
import type { StepTimeCoefficients } from '../core/domain/step-time.ts';
import { priorStepTime } from '../core/domain/step-time.ts';
import { liveLeases } from '../db/queries/leases.ts';
import { recordOutOfMemoryExit } from '../db/queries/monitoring-exits.ts';
import { loadModel } from '../db/queries/planning-reads.ts';
import { stepTimeProfiles, upsertStepTimeProfile } from '../db/queries/profiler.ts';
import {
  beginGeneration,
  endReplica,
  loadReplica,
  type PublishedReplica,
  recordServing,
  replicasOfRevision,
  rerouteReplica,
  routeReplica,
  setReplicaState,
  unrouteReplica,
} from '../db/queries/replicas.ts';
import { revisionSpec } from '../db/queries/revisions.ts';
import type { EngineSpec } from '../engines/driver.ts';
import { outOfMemoryLine } from '../engines/out-of-memory.ts';
import type { ControlDeps } from './deps.ts';
import { readModelConfig } from './model-config.ts';

/** A gateway that has not renewed its lease for so long is no more: it holds no requests. */
const LEASE_LIFETIME_MS = 10_000;
const DEFAULT_MAX_SEQUENCES = 256;

export interface CalibrationResult {
  /** The fit, or what was known before where the run was too noisy to tell. */
  stepTime: StepTimeCoefficients;
  sound: boolean;
  errorPercent: number;
  kvCacheTokens: number | null;
}

export function createReplicaActivities({ db }: ControlDeps) {
  return {
    /** All that the host needs to start this replica's engine. */
    async engineSpec(replicaId: string): Promise<EngineSpec> {
      const replica = await loadReplica(db, replicaId);
      const deployment = await revisionSpec(db, replica.deployment, replica.revision);
      const declared = await loadModel(db, replica.model);
      const config = declared.config ?? (await readModelConfig(declared.source));
      const model = config ? { ...declared, config } : declared;
      const shape = shapeOf(model);
      const kind = acceleratorKind(replica.acceleratorKind);
      const { args } = deployment.engine;
      const known = (await stepTimeProfiles(db)).find(
        (p) => p.model === model.name && p.accelerator === kind.id && p.tensorParallel === replica.tensorParallel,
      );
      return {
        replicaId,
        generation: replica.generation,
        host: replica.host,
        engine: replica.engine,
        deployment: replica.deployment,
        model: replica.model,
        source: model.source,
        dtype: model.dtype,
        shape,
        accelerators: replica.accelerators,
        acceleratorKind: replica.acceleratorKind,
        tensorParallel: replica.tensorParallel,
        args,
        // A simulated engine imitates the accelerator, not what was last measured of the imitation.
        stepTime: (replica.engine === 'simulated'
          ? priorStepTime(shape, kind, replica.tensorParallel)
          : (known ?? priorStepTime(shape, kind, replica.tensorParallel))
        ).coefficients,
        kvCacheTokens: Math.max(16, kvCacheTokens(shape, kind, replica.tensorParallel, memorySettings(args))),
        maxSequences: Number(args['max-num-seqs'] ?? DEFAULT_MAX_SEQUENCES),
      };
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

    /** Records what calibration found, for this replica and, where it is sound, as the profile of its shape. */
    async recordServing(spec: EngineSpec, endpoint: string, calibration: CalibrationResult): Promise<void> {
      const published: PublishedReplica = {
        generation: spec.generation,
        endpoint,
        stepTime: calibration.stepTime,
        kvCacheTokens: calibration.kvCacheTokens ?? spec.kvCacheTokens,
        maxInFlight: spec.maxSequences,
      };
      await recordServing(db, spec.replicaId, published);
      if (!calibration.sound) return;
      await upsertStepTimeProfile(db, {
        model: spec.model,
        accelerator: spec.acceleratorKind,
        tensorParallel: spec.tensorParallel,
        source: 'calibrated',
        coefficients: calibration.stepTime,
        errorPercent: calibration.errorPercent,
        replicaId: spec.replicaId,
      });
    },

    /** Routes to a replica again whose engine was started anew: its share and its coefficients are those it had. */
    async rerouteReplica(replicaId: string, generation: number, endpoint: string): Promise<void> {
      await rerouteReplica(db, replicaId, generation, endpoint);
    },

    /** Sends traffic to replicas of a deployment: `weights` is replica id → share. */
    async routeReplicas(weights: Record<string, number>, reason: string): Promise<void> {
      for (const [replicaId, weight] of Object.entries(weights)) await routeReplica(db, replicaId, weight, reason);
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

    /** Stops routing to a replica. Answers with the routing version that says so, and how many requests had ended on it by then. */
    async unrouteReplica(replicaId: string, reason: string): Promise<UnroutedReplica> {
      const finishedBefore = finishedOn(await liveLeases(db, LEASE_LIFETIME_MS), replicaId);
      const routingVersion = await unrouteReplica(db, replicaId, reason);
      const { host, generation } = await loadReplica(db, replicaId);
      return { routingVersion, finishedBefore, host, generation };
    },

    /**
     * Waits until every live gateway routes by `routingVersion` or later and has nothing open on the replica. Heartbeats the count that is
     * still open.
     * @returns how many requests ended on it since it was unrouted
     */
    async awaitRequestsFinished(replicaId: string, { routingVersion, finishedBefore }: UnroutedReplica): Promise<number> {
      const context = Context.current();
      for (;;) {
        const leases = await liveLeases(db, LEASE_LIFETIME_MS);
        const behind = leases.filter((l) => l.routingVersion < routingVersion);
        const open = leases.reduce((sum, l) => sum + (l.inFlight[replicaId] ?? 0), 0);
        if (behind.length === 0 && open === 0) return Math.max(0, finishedOn(leases, replicaId) - finishedBefore);
        context.heartbeat({ open, gatewaysBehind: behind.map((l) => l.gatewayId) });
        await context.sleep(250);
      }
    },

    async endReplica(replicaId: string, state: 'stopped' | 'failed', reason: string): Promise<void> {
      await endReplica(db, replicaId, state, reason);
    },
  };
}

export interface UnroutedReplica {
  routingVersion: number;
  finishedBefore: number;
  host: string;
  generation: number;
}

function finishedOn(leases: readonly { finished: Record<string, number> }[], replicaId: string): number {
  return leases.reduce((sum, lease) => sum + (lease.finished[replicaId] ?? 0), 0);
}
