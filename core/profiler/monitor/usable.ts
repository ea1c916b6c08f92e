/** Evidence comes over networks and from engines: what cannot be is left out, field by field, so that detectors read only what can. */
import { stepTimeCoefficientsSchema } from '../../domain/step-time.ts';
import type { AnswerEvidence, Evidence, ReplicaEvidence } from './evidence.ts';

/** No window has more of anything: sums stay numbers. */
const MOST = 1e9;

export function usable(evidence: Evidence): Evidence {
  return {
    ...evidence,
    answers: firstOfEach(evidence.answers.filter(isUsableAnswers), (a) => JSON.stringify([a.model, a.class])),
    // Of an engine and its predecessor, the present one.
    replicas: firstOfEach(
      evidence.replicas.filter(isUsableReplica).sort((a, b) => b.generation - a.generation),
      (r) => r.replicaId,
    ).map((r) => ({
      ...r,
      stepTimeRatio: r.stepTimeRatio !== null && r.stepTimeRatio > 0 && Number.isFinite(r.stepTimeRatio) ? r.stepTimeRatio : null,
      stepTimeFit: r.stepTimeFit && stepTimeCoefficientsSchema.safeParse(r.stepTimeFit).success ? r.stepTimeFit : null,
      kvUsage: isShare(r.kvUsage) ? r.kvUsage : null,
      // Gateways may reckon with more than there is.
      expectedKvUsage: r.expectedKvUsage !== null && r.expectedKvUsage >= 0 && r.expectedKvUsage < 100 ? r.expectedKvUsage : null,
      preemptions: isCount(r.preemptions) ? r.preemptions : 0,
      outOfMemoryExits: isCount(r.outOfMemoryExits) ? r.outOfMemoryExits : 0,
    })),
  };
}

function isUsableAnswers(a: AnswerEvidence): boolean {
  const isRatio = a.medianRatio > 0 && Number.isFinite(a.medianRatio);
  // p90 is no less than p50: more cannot be above it.
  return isCount(a.answers) && isShare(a.aboveP50) && isShare(a.aboveP90) && a.aboveP90 <= a.aboveP50 && isRatio && isJudged(a);
}

function isUsableReplica(r: ReplicaEvidence): boolean {
  return Number.isFinite(r.generation) && isJudged(r);
}

function isJudged({ judged, attained }: { judged: number; attained: number }): boolean {
  return isCount(judged) && isCount(attained) && attained <= judged;
}

function isShare(value: number | null): value is number {
  return value !== null && value >= 0 && value <= 1;
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MOST;
}

function firstOfEach<T>(items: readonly T[], key: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => !seen.has(key(item)) && seen.add(key(item)));
}
