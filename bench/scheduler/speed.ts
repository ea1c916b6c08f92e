/** How fast the simulator is: requests a second on one core, Azure's chats on 8 H100. */
import { runSimulation } from '../../core/simulator/simulation.ts';
import { fleetReplicas } from './fleets.ts';
import { FULL } from './plan.ts';
import { sloClasses } from './slos.ts';
import { loadWorkload } from './workloads.ts';

export interface Speed {
  policy: string;
  predictor: string;
  rateScale: number;
  attainment: number;
  /** The best of a few runs: others use the machine, too. */
  requestsPerSecond: number;
}

/** What each has to reach. */
export const SPEED_BARS = [
  { policy: 'round-robin', leastPerSecond: 50_000 },
  { policy: 'uellm', leastPerSecond: 10_000 },
];
/** Learning lengths as in production is a part of the work that the policies have no part in. */
export const SPEED_PREDICTORS = ['class-mean', 'learned'] as const;
/** As in the trace, half loaded, and where the best policies still attain 90 %. */
const RATE_SCALES = [1, 20, 40];
const RUNS = 2;

export function measureSpeed(data: string): Speed[] {
  const trace = loadWorkload('chat', { data, seed: 1, requests: FULL.requests.chat });
  const replicas = fleetReplicas({ model: 'llama-3.1-8b', groups: [['H100-SXM', 1, 8]] });
  const classes = sloClasses('chat', 'fixed');
  return SPEED_BARS.flatMap(({ policy }) =>
    SPEED_PREDICTORS.flatMap((predictor) =>
      RATE_SCALES.map((rateScale): Speed => {
        const runs = Array.from({ length: RUNS }, () => {
          const startedMs = performance.now();
          const { attainment } = runSimulation({ trace, replicas, classes, policy, predictor, rateScale, seed: 1 });
          return { attainment, requestsPerSecond: trace.length / ((performance.now() - startedMs) / 1000) };
        });
        const best = runs.reduce((a, b) => (b.requestsPerSecond > a.requestsPerSecond ? b : a));
        return { policy, predictor, rateScale, ...best };
      }),
    ),
  );
}
