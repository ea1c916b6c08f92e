/**
 * Requests as they were observed, through the simulator once more: what came when, how long its prompt and its answer were, and what the
 * profiler predicted then, for each deployment with its own queue, the scheduler that its mode has and replicas that step as their models say.
 */
import type { Observation } from '../domain/observation.ts';
import { DEFAULT_WEIGHT, matchPolicy, type SloPolicy } from '../domain/slo-policy.ts';
import { leastInFlight } from '../scheduler/policies/least-in-flight.ts';
import { schedulerPolicy } from '../scheduler/registry.ts';
import type { SchedulerPolicy } from '../scheduler/types.ts';
import { simulateCluster } from './cluster.ts';
import { createPredictor, type OutputPredictor, type Predictable } from './predictors.ts';
import type { ReplicaSpec } from './simulated-replica.ts';
import { SimulatedRequest } from './simulated-request.ts';
import { SIMULATION_DEFAULTS } from './simulation.ts';

/** What a replay reads of an observation. */
export type RecordedRequest = Pick<
  Observation,
  | 'acceptedAtMs'
  | 'model'
  | 'deployment'
  | 'tenant'
  | 'class'
  | 'policy'
  | 'outcome'
  | 'inputTokens'
  | 'outputTokens'
  | 'predictedOutputP50'
  | 'predictedOutputP90'
  | 'queueMs'
  | 'ttftMs'
  | 'tpotMs'
  | 'e2eMs'
  | 'attained'
>;

/** All that was accepted from `fromMs` until `untilMs` (Unix time, ms), by acceptance. */
export interface Stretch {
  fromMs: number;
  untilMs: number;
  requests: readonly RecordedRequest[];
}

export interface ServingReplica {
  deployment: string;
  spec: ReplicaSpec;
}

/** What requests meet. */
export interface Situation {
  policies: readonly SloPolicy[];
  /** Of tenants that declare one, where no policy sets any. */
  tenantWeights: Readonly<Record<string, number>>;
  replicas: readonly ServingReplica[];
  /** Name of the policy by which requests are scheduled, but for deployments in shadow mode. */
  scheduler: string;
  shadowed: readonly string[];
}

export interface Replayed {
  recorded: RecordedRequest;
  policy: SloPolicy;
  /** What became of it this time; still `pending` where its deployment has no replica. */
  request: SimulatedRequest;
}

const SEED = 1;

/** Every request of every stretch, in their order. Each stretch begins with idle engines. @param onArrival of each request; may throw */
export function replay(stretches: readonly Stretch[], situation: Situation, onArrival: () => void = () => undefined): Replayed[][] {
  const predictors = new Map<string, OutputPredictor>();
  return stretches.map(({ fromMs, requests }) => {
    const replayed = requests.map((recorded, i) => toReplayed(recorded, i, fromMs, situation));
    for (const deployment of new Set(requests.map((r) => r.deployment))) {
      const learned = predictors.get(deployment) ?? createPredictor('learned');
      predictors.set(deployment, learned);
      run(
        replayed.filter((r) => r.recorded.deployment === deployment),
        situation.replicas.filter((r) => r.deployment === deployment),
        learned,
        situation.shadowed.includes(deployment) ? leastInFlight : schedulerPolicy(situation.scheduler),
        onArrival,
      );
    }
    return replayed;
  });
}

function run(
  replayed: readonly Replayed[],
  replicas: readonly ServingReplica[],
  learned: OutputPredictor,
  policy: SchedulerPolicy,
  onArrival: () => void,
): void {
  if (replicas.length === 0) return;
  simulateCluster({
    requests: replayed.map(({ request }) => request),
    replicas: replicas.map(({ spec }) => spec),
    policy,
    predictor: asPredicted(replayed, learned, onArrival),
    seed: SEED,
    ...SIMULATION_DEFAULTS,
  });
}

/** What was predicted when it came; where nothing was, what is learned from the replay itself. */
function asPredicted(replayed: readonly Replayed[], learned: OutputPredictor, onArrival: () => void): OutputPredictor {
  const recorded = new Map<Predictable, RecordedRequest>(replayed.map((r) => [r.request, r.recorded]));
  return {
    predict(request) {
      onArrival();
      const { predictedOutputP50: p50, predictedOutputP90: p90 } = recorded.get(request)!;
      return p50 === null || p90 === null ? learned.predict(request) : { p50, p90 };
    },
    observe: (request, nowMs) => learned.observe(request, nowMs),
  };
}

function toReplayed(recorded: RecordedRequest, index: number, fromMs: number, { policies, tenantWeights, shadowed }: Situation): Replayed {
  const policy = matchPolicy(policies, recorded);
  const inTurn = shadowed.includes(recorded.deployment);
  const request = new SimulatedRequest({
    id: String(index),
    class: recorded.class,
    tenant: recorded.tenant,
    tenantWeight: policy.weight ?? tenantWeights[recorded.tenant] ?? DEFAULT_WEIGHT,
    // In shadow mode none goes before another, not in the engines either, and none is shed.
    priority: inTurn ? 0 : policy.priority,
    arrivalMs: recorded.acceptedAtMs - fromMs,
    targets: policy.targets,
    queue: inTurn ? { ...policy.queue, onHopeless: 'demote' } : policy.queue,
    inputTokens: Math.max(1, recorded.inputTokens),
    outputTokens: answerTokens(recorded),
    prefix: null,
  });
  return { recorded, policy, request };
}

/** As long as it was; of one that never had its answer, as long as was predicted. */
function answerTokens({ outputTokens, predictedOutputP50 }: RecordedRequest): number {
  return Math.max(1, Math.round(outputTokens ?? predictedOutputP50 ?? 1));
}
