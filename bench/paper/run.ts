/** One policy in one setting, and what came of it. */
import type { SchedulerPolicy } from '../../core/scheduler/types.ts';
import { simulateCluster } from '../../core/simulator/cluster.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import { StaticReplica } from '../../core/simulator/static-replica.ts';
import type { Answer } from './answers.ts';
import type { Predicted } from './predictions.ts';
import { paperRequests } from './scenario.ts';

export interface PaperRun {
  /** Requests that missed their SLO, 0 to 1: the paper's SLO default rate. */
  defaultRate: number;
  /** Until the last answer. */
  makespanSeconds: number;
  meanLatencySeconds: number;
  p99LatencySeconds: number;
  /** Tokens that a client receives, per second; no padding. */
  tokensPerSecond: number;
  /** Tokens of answers over those that engines made room for, padding included. Continuous batching pads nothing. */
  utilisation: number;
}

export interface PaperRunInput {
  policy: SchedulerPolicy;
  replicas: readonly ReplicaSpec[];
  answers: readonly Answer[];
  predictions: readonly Predicted[];
  requests: number;
  seed: number;
}

export function runPaper({ policy, replicas, answers, predictions, requests: count, seed }: PaperRunInput): PaperRun {
  const planned = paperRequests(answers, count, seed);
  const requests = planned.map(({ request }) => request);
  const predicted = new Map<object, Predicted>(planned.map(({ request, prompt }) => [request, predictions[prompt]!]));
  const result = simulateCluster({
    requests,
    replicas,
    policy,
    predictor: { predict: (request) => predicted.get(request)!, observe: () => undefined },
    seed,
    stepNoise: 0,
    engineStateAgeMs: 200,
    streamDelayMs: 0,
    modelFactor: 1,
  });
  const latencies = requests.map((request) => request.e2eMs / 1000).sort((a, b) => a - b);
  const tokens = requests.reduce((sum, request) => sum + request.outputTokens, 0);
  const padded = result.replicas.reduce((sum, replica) => sum + (replica instanceof StaticReplica ? replica.paddedOutputTokens : 0), 0);
  return {
    defaultRate: requests.filter((request) => !request.attained).length / count,
    makespanSeconds: result.endMs / 1000,
    meanLatencySeconds: latencies.reduce((a, b) => a + b, 0) / count,
    p99LatencySeconds: latencies[Math.ceil(0.99 * count) - 1]!,
    tokensPerSecond: tokens / (result.endMs / 1000),
    utilisation: padded === 0 ? 1 : tokens / padded,
  };
}
