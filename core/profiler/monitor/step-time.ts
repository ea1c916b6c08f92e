/**
 * A replica's steps do not take what is predicted: its coefficients are multiplied.
 *
 * Whose fault is it when most look wrong alike? Of one model: the prediction of that model is wrong, and correcting it is the cure,
 * replica by replica. Of several models at once: what they have in common are the gateways that measure them; nothing is corrected.
 */
import { type Detector, ofReplica, percent, replicaFinding, rounded, type Suspicion } from './detector.ts';
import type { Evidence, ReplicaEvidence } from './evidence.ts';
import { inForce, type MonitorMemory } from './memory.ts';

/** Off by a quarter, either way. */
const OFF = 1.25;
/** An engine that is slower than this is not slow but broken. */
const MOST_FACTOR = 10;
/** With a correction out of force again, nearer than this is as it was. */
const AS_BEFORE = 1.12;
/** Fewer replicas than this are no majority of anything. */
const LEAST_REPLICAS = 4;

export const stepTime: Detector = {
  kind: 'step-time',
  looks: 2,
  leaves: 0.5,
  tolerated: Math.log(OFF),

  detect(evidence, memory) {
    const slow = evidence.replicas.filter((r) => r.stepTimeRatio !== null && r.stepTimeRatio > OFF);
    const fast = evidence.replicas.filter((r) => r.stepTimeRatio !== null && r.stepTimeRatio < 1 / OFF);
    return [slow, fast].flatMap((off) => {
      const isOurs = areGatewaysLikelier(off, evidence);
      return off.map((r) => suspicion(r, memory, isOurs));
    });
  },

  deviation(change, evidence) {
    const ratio = ofReplica(change, evidence)?.stepTimeRatio ?? null;
    return ratio === null ? null : Math.abs(Math.log(ratio));
  },
};

function areGatewaysLikelier(off: readonly ReplicaEvidence[], { replicas }: Evidence): boolean {
  const measured = replicas.filter((r) => r.stepTimeRatio !== null);
  return measured.length >= LEAST_REPLICAS && off.length > measured.length / 2 && new Set(off.map((r) => r.model)).size > 1;
}

function suspicion(replica: ReplicaEvidence, memory: MonitorMemory, isOurs: boolean): Suspicion {
  const { replicaId } = replica;
  const ratio = replica.stepTimeRatio!;
  const before = inForce(memory, 'recalibrate-step-time', replicaId)?.factor ?? 1;
  // Against the coefficients without any correction: the one in force is undone first.
  const factor = Math.min(MOST_FACTOR, Math.max(1 / MOST_FACTOR, before * ratio));
  const why = isOurs ? '; most replicas of several models look alike, so it is likelier the gateways that measure than the engines' : '';
  return {
    finding: replicaFinding('step-time', replicaId, `steps take ${percent(ratio)} of what is predicted${why}`, {
      stepTimeRatio: rounded(ratio),
      factorInForce: before,
    }),
    change: isOurs ? null : { kind: 'recalibrate-step-time', replicaId, factor: rounded(factor) },
  };
}

/** Is a corrected replica what it was before? Then the correction goes without a successor. */
export function isAsBefore(factor: number): boolean {
  return Math.abs(Math.log(factor)) < Math.log(AS_BEFORE);
}
