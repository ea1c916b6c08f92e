/** HE, the paper's: the fewest accelerators first, then the least latency; where two are equal in both, the cheaper. */
import type { HelrOutcome, HelrProblem } from './problem.ts';
import { bestPlacement } from './search.ts';

/** The placement on fewest accelerators; it does not read the SLO. @throws invalid-input */
export function placeByHe(problem: HelrProblem): HelrOutcome {
  return bestPlacement(problem, (a, b) => a.accelerators - b.accelerators || a.latencyMs - b.latencyMs || a.usdPerHour - b.usdPerHour);
}
