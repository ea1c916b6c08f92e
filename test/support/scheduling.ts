/** Requests and replicas for tests of scheduling, each with plain values unless a test says otherwise. */
import { deadlinesOf } from '../../core/scheduler/deadlines.ts';
import type { QueuedRequest, ReplicaView } from '../../core/scheduler/types.ts';

type RequestParts = Partial<Omit<QueuedRequest, 'targets' | 'queue' | 'avoid'>> & {
  id: string;
  targets?: Partial<QueuedRequest['targets']>;
  queue?: Partial<QueuedRequest['queue']>;
  avoid?: Iterable<string>;
};

export function queuedRequest({ targets, queue, avoid, ...parts }: RequestParts): QueuedRequest {
  const arrivalMs = parts.arrivalMs ?? 0;
  const waits = { maxWaitMs: 30_000, onHopeless: 'demote' as const, ...queue };
  const predictedOutput = parts.predictedOutput ?? { p50: 100, p90: 300 };
  const promised = { ttftMs: 500, attainment: 0.99, ...targets };
  return {
    deployment: 'd',
    class: 'standard',
    priority: 0,
    arrivalMs,
    deadlines: deadlinesOf(promised, arrivalMs, predictedOutput.p50, waits.maxWaitMs),
    inputTokens: 1000,
    predictedOutput,
    ...parts,
    targets: promised,
    queue: waits,
    avoid: new Set(avoid),
  };
}

/** An 8B model on an H100, idle. */
export function replicaView(parts: Partial<ReplicaView> & { id: string }): ReplicaView {
  return {
    revision: 1,
    weight: 100,
    maxInFlight: 4,
    stepTime: { d0: 6.374, d1: 0.01139, d2: 4.138e-5, ra: 0.01482, rc: 0.005991, rb: 3.913e-7, o: 1 },
    kvCacheTokens: 400_000,
    running: new Set(),
    started: 0,
    reservedKvTokens: 0,
    outstandingPrefillTokens: 0,
    outstandingPrefillSquares: 0,
    outstandingDecodeTokens: 0,
    engine: null,
    ...parts,
  };
}

export function runningRequests(count: number, parts: Omit<RequestParts, 'id'> = {}): Set<QueuedRequest> {
  return new Set(Array.from({ length: count }, (_, i) => queuedRequest({ ...parts, id: `running-${i}` })));
}
