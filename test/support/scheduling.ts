/** Requests and replicas for tests of scheduling, each with plain values unless a test says otherwise. */
import { deadlinesOf } from '../../core/scheduler/deadlines.ts';
import { ReplicaLoad } from '../../core/scheduler/load.ts';
import type { Assignment, QueuedRequest, ReplicaView, Scheduler, SchedulerPolicy } from '../../core/scheduler/types.ts';

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
    tenant: 'default',
    tenantWeight: 1,
    priority: 0,
    arrivalMs,
    deadlines: deadlinesOf(promised, arrivalMs, predictedOutput.p50, waits.maxWaitMs),
    inputTokens: 1000,
    predictedOutput,
    producedTokens: 0,
    prefix: null,
    explain: false,
    ...parts,
    targets: promised,
    queue: waits,
    avoid: new Set(avoid),
  };
}

type ReplicaParts = Partial<ReplicaView> & {
  id: string;
  /** Opened on its load at 0 ms. */
  open?: Iterable<QueuedRequest>;
  /** Opened there as well, and past their first token. */
  decoding?: Iterable<QueuedRequest>;
};

/** An 8B model on an H100, idle unless something is opened on it. */
export function replicaView({ open = [], decoding = [], ...parts }: ReplicaParts): ReplicaView {
  const kvCacheTokens = parts.kvCacheTokens ?? 400_000;
  const view = {
    revision: 1,
    weight: 100,
    maxInFlight: 4,
    batching: 'continuous' as const,
    accepting: true,
    stepTime: { d0: 6.374, d1: 0.01139, d2: 4.138e-5, ra: 0.01482, rc: 0.005991, rb: 3.913e-7, o: 1 },
    kvCacheTokens,
    load: new ReplicaLoad(kvCacheTokens),
    engine: null,
    ...parts,
  };
  for (const request of open) view.load.open(request, 0, view.stepTime);
  for (const request of decoding) {
    view.load.open(request, 0, view.stepTime);
    view.load.firstToken(request, 0, view.stepTime);
    // Those prompts took no time: do not conclude that the engine is quicker than its model, nor that it is busy with prompts.
    const alwaysSo = { configurable: true, writable: true };
    Object.defineProperties(view.load, { stepTimeScale: { value: 1, ...alwaysSo }, prefillShare: { value: () => 0, ...alwaysSo } });
  }
  return view;
}

export function runningRequests(count: number, parts: Omit<RequestParts, 'id'> = {}): Set<QueuedRequest> {
  return new Set(Array.from({ length: count }, (_, i) => queuedRequest({ ...parts, id: `running-${i}` })));
}

/** A scheduler of the policy with those in its queue. */
export function schedulerOf(policy: SchedulerPolicy, queue: Iterable<QueuedRequest>, seed?: number): Scheduler {
  const scheduler = policy.createScheduler(seed);
  for (const request of queue) scheduler.enqueue(request);
  return scheduler;
}

/** Releases, and opens on their replicas, all that can go now. */
export function releaseAll(scheduler: Scheduler, replicas: readonly ReplicaView[], nowMs = 0): Assignment[] {
  const released: Assignment[] = [];
  for (let next = scheduler.next(replicas, nowMs); next; next = scheduler.next(replicas, nowMs)) {
    next.replica.load.open(next.request, nowMs, next.replica.stepTime);
    released.push(next);
  }
  return released;
}
