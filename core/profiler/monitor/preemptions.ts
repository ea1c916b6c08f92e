/**
 * An engine evicts requests to compute them anew: it was given more than its memory holds. Gateways are to fill less of it, step by step
 * for as long as it goes on; `easing.ts` loosens again.
 *
 * Preemptions of a model whose answers are longer than predicted come of that: its lengths are corrected, not its replicas limited.
 *
 * Where most engines do it at once, it is acted on all the same: unlike a difference of two reckonings it is harm that was done.
 */
import type { CorrectionChange } from './correction.ts';
import { type Detector, ofReplica, replicaFinding, rounded } from './detector.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { admissionOf, type MonitorMemory } from './memory.ts';
import { outputLength } from './output-length.ts';

const LEAST_PREEMPTIONS = 8;
/** Per finished request. A few are the price of a full cache. */
const TOO_MANY = 0.08;
const TIGHTER = 0.85;
const LEAST_SHARE = 0.3;

export const preemptions: Detector = {
  kind: 'preemptions',
  looks: 1,
  leaves: 0.5,
  tolerated: TOO_MANY,
  detect: (evidence, memory) =>
    evidence.replicas
      .filter((r) => r.preemptions >= LEAST_PREEMPTIONS && perFinished(r) > TOO_MANY && !areLengthsOff(r.model, evidence, memory))
      .map((r) => {
        const { kvShare: before, maxInFlightShare } = admissionOf(memory, r.replicaId);
        const kvShare = rounded(Math.max(LEAST_SHARE, TIGHTER * before));
        return {
          finding: replicaFinding(
            'preemptions',
            r.replicaId,
            `${r.preemptions} preemptions for ${r.judged} finished requests in ${evidence.windowMs / 1000} s`,
            {
              preemptions: r.preemptions,
              finished: r.judged,
              kvShareInForce: before,
            },
          ),
          change: kvShare < before ? { kind: 'limit-admission' as const, replicaId: r.replicaId, kvShare, maxInFlightShare } : null,
        };
      }),
  deviation(change, evidence) {
    const r = ofReplica(change, evidence);
    return r && r.preemptions + r.judged > 0 ? perFinished(r) : null;
  },
};

function perFinished({ preemptions: count, judged }: ReplicaEvidence): number {
  return count / Math.max(1, judged);
}

/** Found to be longer, or just corrected. */
function areLengthsOff(model: string, evidence: Evidence, memory: MonitorMemory): boolean {
  const concerns = (change: CorrectionChange | null) =>
    change?.kind === 'recalibrate-lengths' && change.model === model && change.factor > 1;
  return outputLength.detect(evidence, memory).some((s) => concerns(s.change)) || memory.active.some((c) => concerns(c.change));
}
