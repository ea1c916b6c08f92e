/** What a rollout with strategy `reload` reads and records: which engines take the new revision, by which specs, and that they serve it. */

import type { Refusal } from '../core/domain/refusal.ts';
import { GENERATIONS_TO_RELOAD, type ReloadCandidate, reloadRefusal } from '../core/domain/reload.ts';
import { loadReplica, recordReloaded, replicasOfRevision } from '../db/queries/replicas.ts';
import { loadRollout } from '../db/queries/rollouts.ts';
import type { EngineSpec } from '../engines/driver.ts';
import type { ControlDeps } from './deps.ts';
import { engineSpecOf, revisionServed } from './engine-spec.ts';
import type { ReloadedEngine } from './host/index.ts';

/** A replica that is to be reloaded, and the revision that it served before. */
export interface ReloadTarget {
  replicaId: string;
  host: string;
  revision: number;
  /** Of the new revision: what its host needs to fetch it. */
  weights: Pick<EngineSpec, 'engine' | 'replicaId' | 'source'>;
}

export interface RevisionEngine {
  revision: number;
  spec: EngineSpec;
}

export function createReloadRecordActivities({ db }: ControlDeps) {
  return {
    /** Can the engines of the earlier revisions load the rollout's revision? Decides only. @returns which they are, or why not */
    async checkReload(rolloutId: string): Promise<{ targets: ReloadTarget[]; refusal: Refusal | null }> {
      const { deployment, revision } = await loadRollout(db, rolloutId);
      const wanted = await revisionServed(db, deployment, revision);
      const rows = await replicasOfRevision(db, deployment, revision, 'others');
      const candidates: ReloadCandidate[] = [];
      for (const row of rows) candidates.push({ ...row, old: await revisionServed(db, deployment, row.revision) });
      return {
        targets: rows.map((row) => ({
          replicaId: row.id,
          host: row.host,
          revision: row.revision,
          weights: { engine: row.engine, replicaId: row.id, source: wanted.model.source },
        })),
        refusal: rows.length === 0 ? null : reloadRefusal(wanted, candidates),
      };
    },

    /** A replica's engine as it is to be reloaded, and as it is brought back should that fail: each as a generation of its own. */
    async reloadSpecs(replicaId: string, revision: number): Promise<{ from: RevisionEngine; to: RevisionEngine }> {
      const row = await loadReplica(db, replicaId);
      const engine = async (of: number, reloads: number): Promise<RevisionEngine> => ({
        revision: of,
        spec: { ...(await engineSpecOf(db, row, of)), generation: row.generation + reloads * GENERATIONS_TO_RELOAD },
      });
      return { to: await engine(revision, 1), from: await engine(row.revision, 2) };
    },

    /**
     * The replica serves this revision now; it was routed and stays so. With null for the engine it is only to do so: it is routed once that was
     * started.
     * @returns false where it is leaving or has left, or a later generation of it has begun: then nothing is changed
     */
    async recordReloaded({ spec, revision }: RevisionEngine, engine: ReloadedEngine | null, reason: string): Promise<boolean> {
      const { generation, model, stepTime, kvCacheTokens, maxSequences } = spec;
      const served = { generation, model, stepTime, kvCacheTokens, maxInFlight: maxSequences };
      return recordReloaded(db, spec.replicaId, { ...served, revision, engine }, reason);
    },
  };
}
