/** The arithmetic of a canary: shares of traffic. Pure. */
import { FULL_WEIGHT } from '../core/domain/replica.ts';

/**
 * Weights that give the new replicas together `percent` of the traffic: the others keep their full weight. Without others they take all.
 * @param percent 1 to 99
 */
export function canaryWeights(percent: number, canary: readonly string[], others: readonly string[]): Record<string, number> {
  const each = others.length === 0 ? FULL_WEIGHT : ((percent / (100 - percent)) * others.length * FULL_WEIGHT) / canary.length;
  return Object.fromEntries([...canary.map((id) => [id, each] as const), ...others.map((id) => [id, FULL_WEIGHT] as const)]);
}
