/** Gathers what monitoring looks at: observations, gateways' leases, and what hosts reported of engines that ended. */
import type { Evidence } from '../../core/profiler/monitor/evidence.ts';
import { WINDOW_MS } from '../../core/profiler/monitor/monitor.ts';
import type { Executor } from '../../db/client.ts';
import { answerFigures, leaseGauges, replicaAttainment, routedReplicas } from '../../db/queries/monitoring-evidence.ts';
import { outOfMemoryExits } from '../../db/queries/monitoring-exits.ts';
import { combineGauges } from './gauges.ts';

/** A gateway that has not renewed its lease for so long says nothing of the present. */
export const FRESH_LEASE_MS = 5000;

/** @param nowMs Unix time */
export async function gatherEvidence(db: Executor, nowMs: number): Promise<Evidence> {
  const window = { from: new Date(nowMs - WINDOW_MS), to: new Date(nowMs) };
  const replicas = await routedReplicas(db);
  const leases = await leaseGauges(db, FRESH_LEASE_MS);
  const attainment = await replicaAttainment(db, window);
  const exits = await outOfMemoryExits(
    db,
    replicas.map((r) => r.replicaId),
    window.from,
  );
  return {
    atMs: nowMs,
    windowMs: WINDOW_MS,
    answers: await answerFigures(db, window),
    replicas: replicas.map((replica) => ({
      ...replica,
      ...combineGauges(leases, replica.replicaId),
      outOfMemoryExits: exits.get(replica.replicaId) ?? 0,
      ...(attainment.get(replica.replicaId) ?? { judged: 0, attained: 0 }),
    })),
  };
}
