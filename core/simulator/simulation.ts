/**
 * The simulator's front door: `runSimulation` takes a trace, a fleet, classes and a policy and answers with the figures of a run;
 * `search.ts` looks for the largest rate at an attainment. Pure: files, clocks and terminals belong to the caller.
 */
import { schedulerPolicy } from '../scheduler/registry.ts';
import type { SchedulerPolicy } from '../scheduler/types.ts';
import { type ClusterResult, simulateCluster } from './cluster.ts';
import { type EngineFault, type Fault, type LongerOutputs, withLongerOutputs } from './faults.ts';
import type { MonitorOptions } from './monitored.ts';
import { createPredictor } from './predictors.ts';
import { simulatedRequests } from './requests.ts';
import type { ReportedRun, Run } from './run.ts';
import type { ReplicaSpec } from './simulated-replica.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import type { SloClass } from './slo-classes.ts';
import { series, summarise } from './summarise.ts';
import type { TraceRequest } from './traces/rows.ts';

export interface SimulationInput {
  /** By arrival. */
  trace: readonly TraceRequest[];
  replicas: readonly ReplicaSpec[];
  classes: readonly SloClass[];
  /** A registered policy's name, or a policy. */
  policy: string | SchedulerPolicy;
  predictor: string;
  rateScale: number;
  seed: number;
  stepNoise?: number | undefined;
  engineStateAgeMs?: number | undefined;
  streamDelayMs?: number | undefined;
  modelFactor?: number | undefined;
  /** What goes wrong, and when; nothing where absent. */
  faults?: readonly Fault[] | undefined;
  /** Nobody corrects anything where absent. */
  monitor?: MonitorOptions | undefined;
  onProgress?: ((ended: number) => void) | undefined;
}

/** As the contract of `uellm simulate` says. */
export const SIMULATION_DEFAULTS = { stepNoise: 0.05, engineStateAgeMs: 200, streamDelayMs: 0, modelFactor: 1 };

export interface Simulated {
  requests: readonly SimulatedRequest[];
  result: ClusterResult;
}

export function simulate(input: SimulationInput): Simulated {
  const faults = input.faults ?? [];
  const longer = faults.filter((fault): fault is LongerOutputs => fault.kind === 'longer-outputs');
  const ofEngines = faults.filter((fault): fault is EngineFault => fault.kind !== 'longer-outputs');
  const requests = simulatedRequests(withLongerOutputs(input.trace, longer, input.rateScale), input);
  const result = simulateCluster({
    requests,
    replicas: input.replicas,
    policy: typeof input.policy === 'string' ? schedulerPolicy(input.policy) : input.policy,
    predictor: createPredictor(input.predictor),
    seed: input.seed,
    stepNoise: input.stepNoise ?? SIMULATION_DEFAULTS.stepNoise,
    engineStateAgeMs: input.engineStateAgeMs ?? SIMULATION_DEFAULTS.engineStateAgeMs,
    streamDelayMs: input.streamDelayMs ?? SIMULATION_DEFAULTS.streamDelayMs,
    modelFactor: input.modelFactor ?? SIMULATION_DEFAULTS.modelFactor,
    faults: ofEngines,
    ...(input.monitor ? { monitor: input.monitor } : {}),
    ...(input.onProgress ? { onProgress: input.onProgress } : {}),
  });
  return { requests, result };
}

export function runSimulation(input: SimulationInput): Run {
  const { requests, result } = simulate(input);
  return summarise(runOf(input), requests, result);
}

export function reportSimulation(input: SimulationInput): ReportedRun {
  const { requests, result } = simulate(input);
  return { run: summarise(runOf(input), requests, result), series: series(requests, result) };
}

function runOf({ policy, predictor, rateScale, seed }: SimulationInput) {
  return { policy: typeof policy === 'string' ? policy : policy.name, predictor, rateScale, seed };
}
