/** The discrete-event simulator's word on the scenario. */
import { schedulerPolicy } from '../../core/scheduler/registry.ts';
import { simulateCluster } from '../../core/simulator/cluster.ts';
import { type Figures, figuresOf } from './outcome.ts';
import {
  COLD_PREDICTOR,
  ENGINES,
  GAUGE_AGE_MS,
  replicaSpecOf,
  STEP_NOISE,
  STREAM_DELAY_MS,
  simulatedRequestOf,
  type ValidationRequest,
} from './scenario.ts';

export function simulateScenario(requests: readonly ValidationRequest[], policy: string, seed = 1): Figures {
  const simulated = requests.map(simulatedRequestOf);
  simulateCluster({
    requests: simulated,
    replicas: ENGINES.map(replicaSpecOf),
    policy: schedulerPolicy(policy),
    predictor: COLD_PREDICTOR,
    seed,
    stepNoise: STEP_NOISE,
    engineStateAgeMs: GAUGE_AGE_MS,
    streamDelayMs: STREAM_DELAY_MS,
    modelFactor: 1,
  });
  return figuresOf(simulated.map((r) => (r.outcome === 'served' ? { ttftMs: r.ttftMs, tpotMs: r.tpotMs } : null)));
}

/** The fastest rate, to a hundredth, at which so many attain: the last that does, going up by tenths first. */
export function rateAt(attainment: number, attainmentAt: (requestsPerSecond: number) => number): number {
  let held = 0.5;
  for (const step of [0.5, 0.1, 0.02]) while (held < 100 && attainmentAt(held + step) >= attainment) held += step;
  return Math.round(held * 100) / 100;
}
