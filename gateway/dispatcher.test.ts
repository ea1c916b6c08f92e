/** When the dispatcher asks its policy, and what it does with the answer: no network, policies of the test's own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RoutedReplica } from '../core/domain/routing.ts';
import type { QueuedRequest, ReplicaView, Scheduler, SchedulerPolicy } from '../core/scheduler/types.ts';
import { routedReplica } from '../test/support/gateway.ts';
import { queuedRequest } from '../test/support/scheduling.ts';
import { Dispatcher, type Waiting } from './dispatcher.ts';
import { Fleet } from './fleet.ts';
import type { LiveReplica, Reservation } from './replica.ts';

/** First come, first served, to the first replica that `may` take it. */
function policyOf(may: (replica: ReplicaView, request: QueuedRequest, nowMs: number) => boolean) {
  const asked: number[] = [];
  const createScheduler = <R extends QueuedRequest, V extends ReplicaView>(): Scheduler<R, V> => {
    const queue = new Set<R>();
    return {
      get size() {
        return queue.size;
      },
      enqueue: (request) => queue.add(request),
      cancel: (request) => queue.delete(request),
      next(replicas, nowMs) {
        asked.push(nowMs);
        const [request] = queue;
        const replica = request && replicas.find((r) => r.accepting && may(r, request, nowMs));
        if (!replica) return null;
        queue.delete(request);
        return { request, replica, explanation: null };
      },
    };
  };
  const policy: SchedulerPolicy = { name: 'test', summary: '', createScheduler };
  return { policy, asked };
}

const always = () => true;
const a = routedReplica({ replicaId: 'a', endpoint: 'http://127.0.0.1:1' });
const b = routedReplica({ replicaId: 'b', endpoint: 'http://127.0.0.1:2' });

const fleets: Fleet[] = [];
beforeEach(() => vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval', 'setImmediate'], now: 0 }));
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(fleets.splice(0).map((fleet) => fleet.close()));
});
/** To the end of this turn of the event loop. */
const turn = () => vi.advanceTimersByTime(0);

function setUp(policy: SchedulerPolicy, replicas: RoutedReplica[], onRelease: (request: Waiting, replica: LiveReplica) => void = () => {}) {
  const log: string[] = [];
  const open: Reservation[] = [];
  const fleet: Fleet = new Fleet(
    { connectTimeoutMs: 1, idleTimeoutMs: 1 },
    { onRoom: (deployment) => dispatcher.wake(deployment), onDrained: () => {}, onHealth: () => {}, onUnusable: () => {} },
  );
  fleets.push(fleet);
  const dispatcher = new Dispatcher(fleet, { policy, maxQueued: 10, onScheduled: () => {} });
  fleet.apply({ version: 1, replicas, policies: [] }, 0);
  const waiting = (id: string, parts: Partial<QueuedRequest> = {}): Waiting => {
    const request: Waiting = {
      ...queuedRequest({ ...parts, id, arrivalMs: performance.now() }),
      deployment: 'chat',
      alternatives: [],
      release({ replica }) {
        log.push(`${id} to ${replica.id}`);
        open.push(fleet.open(replica, request));
        onRelease(request, replica);
      },
      refuse: (error) => log.push(`${id} refused: ${error.code}`),
    };
    return request;
  };
  const enqueue = (...ids: string[]) => {
    for (const id of ids) dispatcher.enqueue(waiting(id));
  };
  return { fleet, dispatcher, log, open, waiting, enqueue };
}

describe('the dispatcher', () => {
  it('releases what a policy has held back for a first token, when that comes', () => {
    const { policy } = policyOf(({ load }) => load.prefilling === 0);
    const { enqueue, open, log, dispatcher } = setUp(policy, [a]);
    enqueue('1', '2', '3');
    expect(log).toEqual(['1 to a']);
    open[0]!.produced(1);
    turn();
    expect(log).toEqual(['1 to a', '2 to a']);
    open[0]!.produced(1);
    turn();
    expect(dispatcher.queued('chat')).toBe(1);
    open[1]!.end();
    turn();
    expect(log).toEqual(['1 to a', '2 to a', '3 to a']);
  });

  it('asks once for all that happens in one turn of the event loop, and not at all while nothing waits', () => {
    const { policy, asked } = policyOf(({ load }) => load.inFlight < 8);
    const { enqueue, open, fleet } = setUp(policy, [a]);
    enqueue('1', '2', '3', '4', '5', '6', '7', '8');
    asked.length = 0;
    for (const reservation of open) reservation.produced(1);
    turn();
    expect(asked).toHaveLength(0);
    enqueue('9');
    asked.length = 0;
    const replica = fleet.eligible('chat')[0]!;
    fleet.readGauges(replica, replica.upstream, { running: 8, waiting: 0, kvCacheUsage: 0.1, kvUsage: 0.1, preemptions: null });
    turn();
    expect(asked).toHaveLength(1);
    for (const reservation of open.slice(0, 5)) reservation.end();
    turn();
    expect(asked).toHaveLength(2);
  });

  it('asks every 25 ms while something waits, and has no timer while nothing does', () => {
    const { policy, asked } = policyOf((_, request, nowMs) => nowMs - request.arrivalMs >= 100);
    const { enqueue, log } = setUp(policy, [a]);
    turn();
    expect(vi.getTimerCount()).toBe(0);
    enqueue('1');
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(99);
    expect([log, asked.length]).toEqual([[], 4]);
    vi.advanceTimersByTime(1);
    expect(log).toEqual(['1 to a']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('sends nothing to a replica that a release has found gone, and tries what it failed elsewhere', () => {
    const { policy } = policyOf(always);
    const { enqueue, log, dispatcher } = setUp(policy, [a, b], (request, replica) => {
      if (replica.id !== 'a') return;
      fleets[0]!.eject(replica, replica.upstream, 'nobody listens');
      dispatcher.requeue(request);
    });
    enqueue('1', '2');
    expect(log).toEqual(['1 to a', '1 to b', '2 to b']);
    expect(dispatcher.queued('chat')).toBe(0);
  });

  it('forgets what is cancelled, shed or displaced: the policy has it no more', () => {
    let closed = true;
    const { policy } = policyOf(() => !closed);
    const { dispatcher, waiting, log, fleet } = setUp(policy, [a]);
    const requests = Array.from({ length: 10 }, (_, i) => waiting(String(i), i === 5 ? { priority: -1 } : {}));
    for (const request of requests) dispatcher.enqueue(request);
    dispatcher.enqueue(waiting('10'));
    expect(log).toEqual(['5 refused: shed']);
    dispatcher.cancel(requests[0]!);
    dispatcher.cancel(requests[0]!);
    const sheddable = waiting('s', { queue: { maxWaitMs: 50, onHopeless: 'shed' } });
    dispatcher.enqueue(sheddable);
    vi.advanceTimersByTime(60);
    dispatcher.sweep(performance.now());
    expect(log).toEqual(['5 refused: shed', 's refused: shed']);
    closed = false;
    const replica = fleet.eligible('chat')[0]!;
    fleet.readGauges(replica, replica.upstream, null);
    turn();
    expect(log.slice(2)).toEqual(['1', '2', '3', '4', '6', '7', '8', '9', '10'].map((id) => `${id} to a`));
  });

  it('gives one that batches statically all that waits, and then nothing until all of it has ended', () => {
    const { policy } = policyOf(({ load, maxInFlight }) => load.inFlight < maxInFlight);
    const { enqueue, log, open } = setUp(policy, [{ ...a, batching: 'static', maxInFlight: 3 }]);
    enqueue('1', '2', '3', '4', '5');
    expect(log).toEqual(['1 to a']);
    open[0]!.end();
    turn();
    expect(log.slice(1)).toEqual(['2 to a', '3 to a', '4 to a']);
    open[1]!.end();
    open[3]!.end();
    turn();
    expect(log).toHaveLength(4);
    open[2]!.end();
    turn();
    expect(log.slice(4)).toEqual(['5 to a']);
  });
});
