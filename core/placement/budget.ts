/** The disruption budget: how many replicas of a deployment may go away at once without a replacement. One subtraction. */

export interface ServingCount {
  /** Replicas that serve now, those that are to leave among them. */
  serving: number;
  /** How many of them the demand needs. */
  needed: number;
  /** The deployment's `replicas.min`: holds whatever else is allowed. */
  min: number;
  /** How many of the needed ones may be away. */
  maxUnavailable: number;
}

export function mayLeave({ serving, needed, min, maxUnavailable }: ServingCount): number {
  return Math.max(0, serving - Math.max(min, needed - maxUnavailable));
}
