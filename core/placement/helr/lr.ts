/** LR, the paper's: latency alone. Whatever it costs; where two are equally quick, the fewer and then the cheaper accelerators. */
import type { HelrOutcome, HelrProblem } from './problem.ts';
import { bestPlacement, type Preference } from './search.ts';

export const byLatency: Preference = (a, b) => a.latencyMs - b.latencyMs || a.accelerators - b.accelerators || a.usdPerHour - b.usdPerHour;

/** The placement of least latency; it does not read the SLO. @throws invalid-input */
export function placeByLr(problem: HelrProblem): HelrOutcome {
  return bestPlacement(problem, byLatency);
}
