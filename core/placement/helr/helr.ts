/**
 * Which layers of a model go on which accelerators: HELR (high efficiency, low latency) of the paper UELLM (arXiv 2409.14961), and its two
 * halves HE and LR. They decide on plain figures (`problem.ts`), search alike (`search.ts`), and differ only in what they prefer.
 * `pipeline-step-time.ts` makes one engine's step time of the stages, `pipeline-shapes.ts` asks for them on a fleet's free accelerators.
 * Imports nothing of the planner that calls it.
 *
 * The paper's: dynamic programming over devices, the last of them and the layers placed; latency as the sum of layer times and
 * communication between devices; memory as a constraint; HE counts accelerators first, LR latency alone, HELR is the compromise of both.
 * Its released code has maps of layers written by hand, not the search, so the rest is a reading: the compromise is decided by the SLO.
 * HELR takes the cheapest accelerators (where they have no price: the fewest) that meet it, and of those the quickest placement. Where no SLO
 * is named nothing says how much latency an accelerator is worth, and HELR is LR. Where none can be met it says so, and what LR would do.
 */

import { byLatency } from './lr.ts';
import type { HelrOutcome, HelrProblem } from './problem.ts';
import { bestPlacement, type Preference } from './search.ts';

const byCost: Preference = (a, b) => a.usdPerHour - b.usdPerHour || a.accelerators - b.accelerators || a.latencyMs - b.latencyMs;

/** The cheapest placement that meets the SLO. @throws invalid-input */
export function placeByHelr(problem: HelrProblem): HelrOutcome {
  const { maxLatencyMs = Number.POSITIVE_INFINITY } = problem;
  if (maxLatencyMs === Number.POSITIVE_INFINITY) return bestPlacement(problem, byLatency);
  const best = bestPlacement(problem, (a, b) => {
    const [aMeets, bMeets] = [a.latencyMs <= maxLatencyMs, b.latencyMs <= maxLatencyMs];
    if (aMeets !== bMeets) return aMeets ? -1 : 1;
    return aMeets ? byCost(a, b) : byLatency(a, b);
  });
  if (best.kind === 'placed' && best.latencyMs > maxLatencyMs) return { kind: 'infeasible', on: 'slo', maxLatencyMs, best };
  return best;
}
