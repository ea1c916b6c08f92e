/** Engines and requests for tests of simulated clusters, each with plain values unless a test says otherwise. */
import { measuredStepTime } from '../../core/domain/step-time.ts';
import { fcfs } from '../../core/scheduler/policies/fcfs.ts';
import type { SchedulerPolicy } from '../../core/scheduler/types.ts';
import { type ClusterInput, type ClusterResult, simulateCluster } from '../../core/simulator/cluster.ts';
import { createPredictor } from '../../core/simulator/predictors.ts';
import type { ReplicaSpec, SimulatedReplica } from '../../core/simulator/simulated-replica.ts';
import { SimulatedRequest } from '../../core/simulator/simulated-request.ts';

/** An 8B model on an H100. */
export const STEP_TIME = measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!.coefficients;

export function replicaSpec(parts: Partial<ReplicaSpec> = {}): ReplicaSpec {
  return {
    id: 'r',
    stepTime: STEP_TIME,
    kvCacheTokens: 400_000,
    maxContextTokens: 131_072,
    maxSequences: 256,
    maxBatchedTokens: 2048,
    scheduling: 'fcfs',
    prefixBlockTokens: null,
    usdPerHour: null,
    ...parts,
  };
}

type SimulatedParts = Partial<Omit<ConstructorParameters<typeof SimulatedRequest>[0], 'queue' | 'targets'>> & {
  queue?: Partial<SimulatedRequest['queue']>;
  targets?: Partial<SimulatedRequest['targets']>;
};

export function simulatedRequest({ queue, targets, ...parts }: SimulatedParts = {}): SimulatedRequest {
  return new SimulatedRequest({
    id: '0',
    class: 'standard',
    priority: 0,
    arrivalMs: 0,
    inputTokens: 1000,
    outputTokens: 100,
    prefix: null,
    ...parts,
    targets: { ttftMs: 1000, attainment: 0.99, ...targets },
    queue: { maxWaitMs: 30_000, onHopeless: 'demote', ...queue },
  });
}

/** Runs the requests, without noise and with an oracle, on one engine unless told otherwise. */
export function simulateRequests(requests: readonly SimulatedRequest[], parts: Partial<ClusterInput> = {}): ClusterResult {
  return simulateCluster({
    requests,
    replicas: [replicaSpec()],
    policy: fcfs,
    predictor: createPredictor('oracle'),
    seed: 1,
    stepNoise: 0,
    engineStateAgeMs: 200,
    streamDelayMs: 0,
    modelFactor: 1,
    ...parts,
  });
}

/** A policy that is watched whenever it is asked, before it answers; `holds` are requests that it keeps waiting. */
export function watched(
  policy: SchedulerPolicy,
  watch: (nowMs: number, replicas: readonly SimulatedReplica[]) => void,
  holds: (id: string, nowMs: number) => boolean = () => false,
): SchedulerPolicy {
  return {
    ...policy,
    createScheduler: (seed) => {
      const inner = policy.createScheduler<never, never>(seed);
      const held = new Set<never>();
      return {
        get size() {
          return inner.size + held.size;
        },
        enqueue: (request) => void held.add(request as never),
        cancel: (request) => held.delete(request as never) || inner.cancel(request as never),
        next(replicas, nowMs) {
          watch(nowMs, replicas as unknown as SimulatedReplica[]);
          for (const request of held) {
            if (holds((request as SimulatedRequest).id, nowMs)) continue;
            held.delete(request);
            inner.enqueue(request);
          }
          return inner.next(replicas as never, nowMs);
        },
      };
    },
  };
}

export const times = (requests: readonly SimulatedRequest[]) =>
  requests.map(({ outcome, replica, releasedMs, firstTokenMs, endMs }) => ({ outcome, replica, releasedMs, firstTokenMs, endMs }));
/** A request whenever an exponential-looking while has passed, of many lengths. */
export const chats = (count: number, gapMs: number) =>
  Array.from({ length: count }, (_, i) =>
    simulatedRequest({
      id: String(i),
      arrivalMs: gapMs * (i + ((i * 7) % 5) / 5),
      inputTokens: 50 + ((i * 397) % 3000),
      outputTokens: 1 + ((i * 131) % 300),
    }),
  );
