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
  for (const fleet of fleets.splice(0)) fleet.close();
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
  const onPolicyFailed = (deployment: string, error: unknown) => log.push(`${deployment}: ${String(error)}`);
  const dispatcher = new Dispatcher(fleet, { policy, maxQueued: 10, onScheduled: () => {}, onPolicyFailed });
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

const NONE = { atLeast: 0, atMost: 0 };

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
    fleet.readGauges(replica, replica.upstream, { running: 8, waiting: 0, kvCacheUsage: 0.1, kvUsage: 0.1, preemptions: null }, NONE);
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
    fleet.readGauges(replica, replica.upstream, null, NONE);
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

  describe('whose policy throws', () => {
    /** One that does as it is asked, but for where `fails` says. */
    const failing = (fails: (call: 'enqueue' | 'cancel' | 'next') => boolean) => {
      const { policy } = policyOf(({ load, maxInFlight }) => load.inFlight < maxInFlight);
      const check = (call: 'enqueue' | 'cancel' | 'next') => {
        if (fails(call)) throw new Error(call);
      };
      const createScheduler: SchedulerPolicy['createScheduler'] = () => {
        const inner = policy.createScheduler<never, never>();
        return {
          get size() {
            return inner.size;
          },
          enqueue: (request) => {
            check('enqueue');
            inner.enqueue(request as never);
          },
          cancel: (request) => {
            check('cancel');
            return inner.cancel(request as never);
          },
          next: (replicas, nowMs) => {
            check('next');
            return inner.next(replicas as never, nowMs);
          },
        };
      };
      return { ...policy, createScheduler };
    };

    it('while a deployment leaves shadow mode loses no request, and takes none twice', () => {
      let broken = false;
      const { enqueue, open, log, dispatcher } = setUp(
        failing((call) => broken && call === 'enqueue'),
        [{ ...a, maxInFlight: 1 }],
      );
      dispatcher.shadow(new Set(['chat']));
      enqueue('1', '2', '3');
      broken = true;
      dispatcher.shadow(new Set());
      for (let i = 0; i < 3; i++) {
        open[i]!.end();
        turn();
      }
      expect(log).toEqual(['1 to a', 'chat: Error: enqueue', '2 to a', '3 to a']);
    });

    it.each(['enqueue', 'next'] as const)('in `%s` loses no request: what waits goes first come, first served', (call) => {
      const { enqueue, open, log, dispatcher } = setUp(
        failing((now) => now === call),
        [{ ...a, maxInFlight: 1 }],
      );
      enqueue('1', '2', '3');
      open[0]!.end();
      turn();
      open[1]!.end();
      turn();
      expect(log).toEqual([`chat: Error: ${call}`, '1 to a', `chat: Error: ${call}`, '2 to a', '3 to a']);
      expect(dispatcher.queued('chat')).toBe(0);
    });

    it('in `cancel` lets the request go that is cancelled, and no other', () => {
      const { dispatcher, waiting, open, log } = setUp(
        failing((call) => call === 'cancel'),
        [{ ...a, maxInFlight: 1 }],
      );
      const requests = ['1', '2', '3'].map((id) => waiting(id));
      for (const request of requests) dispatcher.enqueue(request);
      dispatcher.cancel(requests[1]!);
      open[0]!.end();
      turn();
      expect(log).toEqual(['1 to a', 'chat: Error: cancel', '3 to a']);
    });

    it('at the end of a turn, or at a tick, does not end the process', () => {
      let broken = false;
      const { enqueue, open, log } = setUp(
        failing(() => broken),
        [{ ...a, maxInFlight: 1 }],
      );
      enqueue('1', '2');
      broken = true;
      expect(() => vi.advanceTimersByTime(25)).not.toThrow();
      open[0]!.end();
      expect(turn).not.toThrow();
      expect(log).toEqual(['1 to a', 'chat: Error: next', '2 to a']);
    });

    it('is asked again once its queue has been empty', () => {
      let broken = true;
      const { enqueue, log } = setUp(
        failing(() => broken),
        [a],
      );
      enqueue('1');
      enqueue('2');
      broken = false;
      enqueue('3');
      expect(log).toEqual(['chat: Error: enqueue', '1 to a', 'chat: Error: enqueue', '2 to a', '3 to a']);
    });
  });
});
