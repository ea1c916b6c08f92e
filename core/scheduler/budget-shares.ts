/** How gateways share what a tenant may ask for: by how much each is asked for, with a little for those that are not asked at all. */

export interface BudgetClaim {
  /** Share of the limits that is in use or may be, 0 to 1. */
  held: number;
  /** How much of the limits the gateway is asked for, 0 to 1. */
  demand: number;
}

/** What gateways that nobody asks share among them, relative to a demand for all of the limits. */
const IDLE_PART = 0.1;
/** A gateway always has so much: the first to come need not wait until others have let go. */
export const LEAST_SHARE = 0.01;

/**
 * The share that one gateway may take while it alone asks and the others hold what they say: its part by demand, and never more than they
 * leave. What it has beyond its part it lets go; others take it when they ask next. So shares add up to at most 1, but for `LEAST_SHARE`
 * each.
 */
export function grantedShare(demand: number, others: readonly BudgetClaim[]): number {
  const idle = IDLE_PART / (others.length + 1);
  const wanted = others.reduce((sum, other) => sum + other.demand + idle, demand + idle);
  const left = others.reduce((sum, { held }) => sum - held, 1);
  return Math.max(LEAST_SHARE, Math.min((demand + idle) / wanted, left));
}
