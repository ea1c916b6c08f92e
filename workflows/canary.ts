/** The arithmetic of a canary: shares of traffic, and whether the evidence is good enough to go on. Pure. */

/** What a replica weighs that takes its full share. */
export const FULL_WEIGHT = 100;

/** With fewer requests than this on the new revision, its failures prove nothing. */
const MINIMUM_REQUESTS = 20;
/** Failures beyond the old revision's share by more than this end a canary. */
const TOLERATED_EXCESS = 0.05;

/**
 * Weights that give the new replicas together `percent` of the traffic: the others keep their full weight.
 * @param percent 1 to 99
 */
export function canaryWeights(percent: number, canary: readonly string[], others: readonly string[]): Record<string, number> {
  const each = ((percent / (100 - percent)) * others.length * FULL_WEIGHT) / canary.length;
  return Object.fromEntries([...canary.map((id) => [id, each] as const), ...others.map((id) => [id, FULL_WEIGHT] as const)]);
}

interface Outcomes {
  requests: number;
  failed: number;
  attained: number;
}

/** Compares failures of the new revision with the old one's over the same time. */
export function canaryVerdict({ canary, stable }: { canary: Outcomes; stable: Outcomes }): { good: boolean; why: string } {
  const share = (o: Outcomes) => (o.requests === 0 ? 0 : o.failed / o.requests);
  const why = `${canary.failed} of ${canary.requests} requests failed, ${stable.failed} of ${stable.requests} on the old revision`;
  const good = canary.requests < MINIMUM_REQUESTS || share(canary) <= share(stable) + TOLERATED_EXCESS;
  return { good, why };
}
