/**
 * What engines say of their KV cache beside what gateways reckon they have there. Much more in use than reckoned: the cache is smaller
 * than it is held to be, or others use it too; gateways are to fill less of it. Much less, while the reckoning is what holds requests
 * back: prompts share their beginnings, or lengths are overestimated; they may fill more.
 *
 * Where most replicas look alike it is the reckoning that is wrong, not the caches: it is told, and no replica is limited or loosened for
 * it. What is really too full shows as preemptions, which are acted on.
 */
import { type Detector, ofReplica, percent, replicaFinding, rounded, type Suspicion } from './detector.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { admissionOf } from './memory.ts';

/** Beyond it, what is in use matters. */
const FULL_ENOUGH = 0.5;
const MUCH_MORE = 1.3;
const MUCH_LESS = 0.6;
/** Of what may be filled: reckoned to be this full, the reckoning holds requests back. */
const HOLDS_BACK = 0.7;
const LEAST_SHARE = 0.3;
const MOST_SHARE = 1.5;
const MOST_LOOSENING = 1.25;
const LEAST_REPLICAS = 3;

type Measured = ReplicaEvidence & { kvUsage: number; expectedKvUsage: number };

export const kvUnderAllocation: Detector = {
  kind: 'kv-under-allocation',
  looks: 2,
  leaves: 0.5,
  tolerated: Math.log(MUCH_MORE),
  detect: (evidence, memory) => {
    const found = measured(evidence).filter(usesMore);
    return unlessAllAlike(found, evidence, (r) => {
      const kvShare = rounded(Math.max(LEAST_SHARE, Math.min(1, r.expectedKvUsage / r.kvUsage)));
      const { kvShare: before, maxInFlightShare } = admissionOf(memory, r.replicaId);
      return {
        finding: replicaFinding(
          'kv-under-allocation',
          r.replicaId,
          `uses ${percent(r.kvUsage)} of its KV cache where gateways reckon ${percent(r.expectedKvUsage)}`,
          figuresOf(r),
        ),
        // One that is limited to that already has its correction.
        change: kvShare < before - 0.05 ? { kind: 'limit-admission', replicaId: r.replicaId, kvShare, maxInFlightShare } : null,
      };
    });
  },
  /** Against what gateways may fill, as a logarithm: a limit makes up for a cache that is smaller than it is held to be. */
  deviation(change, evidence, memory) {
    const r = ofReplica(change, evidence);
    if (r?.kvUsage == null || r.expectedKvUsage === null) return null;
    const { kvShare } = admissionOf(memory, r.replicaId);
    return Math.max(0, Math.log((r.kvUsage * kvShare) / Math.max(0.01, r.expectedKvUsage)));
  },
};

export const kvOverAllocation: Detector = {
  kind: 'kv-over-allocation',
  looks: 3,
  // Loosening shows as more in use; there need not be much more to put there.
  leaves: 0.95,
  tolerated: 0.2,
  detect: (evidence, memory) => {
    const found = measured(evidence).filter((r) => {
      const { kvShare } = admissionOf(memory, r.replicaId);
      return r.expectedKvUsage >= HOLDS_BACK * kvShare && r.kvUsage <= MUCH_LESS * r.expectedKvUsage && r.preemptions === 0;
    });
    return unlessAllAlike(found, evidence, (r) => {
      const { kvShare: before, maxInFlightShare } = admissionOf(memory, r.replicaId);
      const kvShare = rounded(Math.min(MOST_SHARE, before * Math.min(MOST_LOOSENING, r.expectedKvUsage / Math.max(0.01, r.kvUsage))));
      return {
        finding: replicaFinding(
          'kv-over-allocation',
          r.replicaId,
          `uses ${percent(r.kvUsage)} of its KV cache where gateways reckon ${percent(r.expectedKvUsage)} and hold requests back`,
          figuresOf(r),
        ),
        change: kvShare > before ? { kind: 'limit-admission', replicaId: r.replicaId, kvShare, maxInFlightShare } : null,
      };
    });
  },
  deviation(change, evidence) {
    const usage = ofReplica(change, evidence)?.kvUsage ?? null;
    return usage === null ? null : 1 - usage;
  },
};

/** Does the engine use much more than gateways reckon? */
export function usesMore({ kvUsage, expectedKvUsage }: ReplicaEvidence): boolean {
  return kvUsage !== null && expectedKvUsage !== null && kvUsage >= FULL_ENOUGH && kvUsage > MUCH_MORE * expectedKvUsage;
}

function measured({ replicas }: Evidence): Measured[] {
  return replicas.filter((r): r is Measured => r.kvUsage !== null && r.expectedKvUsage !== null);
}

function unlessAllAlike(found: Measured[], evidence: Evidence, suspect: (r: Measured) => Suspicion): Suspicion[] {
  const all = measured(evidence).length;
  if (all < LEAST_REPLICAS || found.length <= all / 2) return found.map(suspect);
  return found.map((r) => {
    const { finding } = suspect(r);
    const message = `${finding.message}; most replicas look alike, so it is likelier the reckoning than the engines`;
    return { finding: { ...finding, message }, change: null };
  });
}

function figuresOf({ kvUsage, expectedKvUsage }: Measured): Record<string, number> {
  return { kvUsageShare: rounded(kvUsage), expectedKvUsageShare: rounded(expectedKvUsage) };
}
