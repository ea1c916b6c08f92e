/**
 * A replica that was corrected to be slow may get no more requests, and then nobody sees that it is slow no longer. While the others of its
 * model are given what it is not, its correction is taken back to see: should it still be so, it is found again as soon as requests come, and the next
 * while is twice as long.
 */
import type { ActiveCorrection } from './correction.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { MOST_SEEN_MS, type MonitorMemory, replicaMemory } from './memory.ts';

export interface Probed {
  memory: MonitorMemory;
  ended: { correction: ActiveCorrection; reason: string }[];
}

/** @param sinceMs the look before; null where this is the first */
export function probe(memory: MonitorMemory, evidence: Evidence, sinceMs: number | null): Probed {
  const replicas = { ...memory.replicas };
  const ended: Probed['ended'] = [];
  for (const correction of memory.active) {
    const { change } = correction;
    if (change.kind !== 'recalibrate-step-time' || change.factor <= 1) continue;
    const r = evidence.replicas.find(({ replicaId }) => replicaId === change.replicaId);
    if (!r || sinceMs === null) continue;
    const past = replicaMemory(memory, r.replicaId);
    const passedOverMs = isPassedOver(r, evidence) ? past.passedOverMs + Math.min(MOST_SEEN_MS, evidence.atMs - sinceMs) : 0;
    const isDue = passedOverMs >= past.probeAfterMs;
    replicas[r.replicaId] = isDue ? { ...past, passedOverMs: 0, probedAtMs: evidence.atMs } : { ...past, passedOverMs };
    if (isDue)
      ended.push({ correction, reason: `no requests for ${Math.round(passedOverMs / 1000)} s: taken back to see whether it is still so` });
  }
  return { memory: { ...memory, replicas }, ended };
}

function isPassedOver(r: ReplicaEvidence, { replicas }: Evidence): boolean {
  const hasNothing = r.running === 0 && r.judged === 0 && r.stepTimeRatio === null;
  return hasNothing && replicas.some((other) => other.replicaId !== r.replicaId && other.model === r.model && other.judged > 0);
}
