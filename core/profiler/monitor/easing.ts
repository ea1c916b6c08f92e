/**
 * How limits go again. A limit that has helped is loosened by one step when it was felt for a while and nothing happened: an idle replica
 * shows nothing, and a limit that is not felt costs nothing. Where trouble comes back after that, it is tightened again and the next
 * while is twice as long.
 */
import type { ActiveCorrection, CorrectionChange } from './correction.ts';
import { percent, rounded } from './detector.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { usesMore } from './kv-allocation.ts';
import { MOST_SEEN_MS, type MonitorMemory, replicaMemory } from './memory.ts';

const STEP = 0.05;
/** So much of what it may fill is in use: the limit is felt. */
const FELT = 0.6;
/** Of what ended engines: they fail all they have. */
const OUT_OF_MEMORY_PATIENCE_MS = 600_000;
const TOLERATED_PREEMPTIONS = 0.02;

type Limit = Extract<CorrectionChange, { kind: 'limit-admission' }>;

export interface Eased {
  memory: MonitorMemory;
  /** `to` is null where nothing is left of the limit. */
  loosened: { correction: ActiveCorrection; to: Limit | null; reason: string }[];
}

/** @param sinceMs the look before */
export function ease(memory: MonitorMemory, evidence: Evidence, sinceMs: number | null): Eased {
  const replicas = { ...memory.replicas };
  const loosened: Eased['loosened'] = [];
  for (const correction of memory.active) {
    const { change, kept } = correction;
    if (change.kind !== 'limit-admission' || !kept || (change.kvShare >= 1 && change.maxInFlightShare >= 1)) continue;
    const r = evidence.replicas.find(({ replicaId }) => replicaId === change.replicaId);
    if (!r || sinceMs === null) continue;
    const past = replicaMemory(memory, r.replicaId);
    const isFelt = r.kvUsage !== null && r.kvUsage >= FELT * Math.min(1, change.kvShare);
    const seenMs = isFelt ? Math.min(MOST_SEEN_MS, evidence.atMs - sinceMs) : 0;
    const quietMs = isTroubled(r) ? 0 : past.quietMs + seenMs;
    const patienceMs = past.exitsAtMs.length > 0 ? Math.max(OUT_OF_MEMORY_PATIENCE_MS, past.patienceMs) : past.patienceMs;
    const isDue = quietMs >= patienceMs;
    replicas[r.replicaId] = isDue ? { ...past, quietMs: 0, loosenedAtMs: evidence.atMs } : { ...past, quietMs };
    if (isDue) loosened.push({ correction, to: looser(change), reason: reasonOf(change, quietMs) });
  }
  return { memory: { ...memory, replicas }, loosened };
}

function isTroubled(r: ReplicaEvidence): boolean {
  return r.outOfMemoryExits > 0 || usesMore(r) || r.preemptions > TOLERATED_PREEMPTIONS * r.judged;
}

function looser(limit: Limit): Limit | null {
  const more = (share: number) => rounded(Math.max(share, Math.min(1, share + STEP)));
  const next = { ...limit, kvShare: more(limit.kvShare), maxInFlightShare: more(limit.maxInFlightShare) };
  return next.kvShare >= 1 && next.maxInFlightShare >= 1 ? null : next;
}

function reasonOf(limit: Limit, quietMs: number): string {
  const next = looser(limit);
  const becomes = next ? `loosened from ${percent(limit.kvShare)} to ${percent(next.kvShare)} of the KV cache` : 'no limit is needed';
  return `${Math.round(quietMs / 1000)} s without trouble while it was felt: ${becomes}`;
}
