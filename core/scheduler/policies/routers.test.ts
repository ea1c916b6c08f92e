/** The plain routers: all release first come, first served, wherever there is a place; each has its way to choose where. */
import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../../test/support/scheduling.ts';
import { measuredStepTime } from '../../domain/step-time.ts';
import type { QueuedRequest, ReplicaView, SchedulerPolicy } from '../types.ts';
import { latencyHeadroom } from './latency-headroom.ts';
import { leastInFlight } from './least-in-flight.ts';
import { leastPredictedWork } from './least-predicted-work.ts';
import { powerOfTwo } from './power-of-two.ts';
import { prefixAffinity } from './prefix-affinity.ts';
import { roundRobin } from './round-robin.ts';
import { shortestPredictedTtft } from './shortest-predicted-ttft.ts';

const many = (count: number, parts = {}) => Array.from({ length: count }, (_, i) => queuedRequest({ ...parts, id: `q${i}`, arrivalMs: i }));
const counts = (replicas: readonly ReplicaView[]) => replicas.map((r) => r.load.inFlight);
const chosen = (
  policy: SchedulerPolicy,
  replicas: readonly ReplicaView[],
  request: QueuedRequest = queuedRequest({ id: 'x' }),
  nowMs = 0,
) => schedulerOf(policy, [request]).next(replicas, nowMs)?.replica.id;
const wide = { maxInFlight: 10_000, kvCacheTokens: 1e9 };

describe.each(
  [roundRobin, leastInFlight, powerOfTwo, leastPredictedWork, shortestPredictedTtft, latencyHeadroom, prefixAffinity].map(
    (p) => [p.name, p] as const,
  ),
)('%s', (_, policy) => {
  it('releases in the order of arrival, whatever priority, memory and wait', () => {
    const queue = [
      queuedRequest({ id: 'late', arrivalMs: 3, priority: 100 }),
      queuedRequest({ id: 'first', arrivalMs: 1, inputTokens: 9000, queue: { maxWaitMs: 1 } }),
      queuedRequest({ id: 'second', arrivalMs: 2 }),
    ];
    const tight = replicaView({ id: 'a', maxInFlight: 3, kvCacheTokens: 2000, open: runningRequests(1) });
    expect(releaseAll(schedulerOf(policy, queue), [tight], 10).map((a) => a.request.id)).toEqual(['first', 'second']);
  });
  it('looks only at replicas with a place, and avoids where the request failed', () => {
    const full = replicaView({ id: 'full', open: runningRequests(4) });
    expect(chosen(policy, [full, replicaView({ id: 'b', open: runningRequests(3) })])).toBe('b');
    expect(chosen(policy, [replicaView({ id: 'a' }), replicaView({ id: 'b' })], queuedRequest({ id: 'x', avoid: ['a'] }))).toBe('b');
  });
});

describe('round-robin', () => {
  it('goes around whatever the load', () => {
    const replicas = [
      replicaView({ id: 'a', ...wide, open: runningRequests(9) }),
      replicaView({ id: 'b', ...wide }),
      replicaView({ id: 'c', ...wide }),
    ];
    const order = releaseAll(schedulerOf(roundRobin, many(6)), replicas).map((a) => a.replica.id);
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });
  it('keeps to weights', () => {
    const replicas = [replicaView({ id: 'a', ...wide, weight: 100 }), replicaView({ id: 'b', ...wide, weight: 50 })];
    releaseAll(schedulerOf(roundRobin, many(30)), replicas);
    expect(counts(replicas)).toEqual([20, 10]);
  });
  it('does not flood a replica that is new', () => {
    const old = [replicaView({ id: 'a', ...wide }), replicaView({ id: 'b', ...wide })];
    const scheduler = schedulerOf(roundRobin, many(100));
    releaseAll(scheduler, old);
    for (const request of many(9)) scheduler.enqueue(request);
    const fresh = replicaView({ id: 'c', ...wide });
    releaseAll(scheduler, [...old, fresh]);
    expect(fresh.load.inFlight).toBe(3);
  });
});

describe('power-of-two', () => {
  const fleet = () => Array.from({ length: 16 }, (_, i) => replicaView({ id: `r${i}`, ...wide }));
  it('takes the less loaded of two, so that loads stay nearly even', () => {
    const replicas = fleet();
    releaseAll(schedulerOf(powerOfTwo, many(1600)), replicas);
    expect(Math.max(...counts(replicas))).toBeLessThan(105);
    expect(Math.min(...counts(replicas))).toBeGreaterThan(95);
  });
  it('draws by its seed', () => {
    const draws = (seed: number) => releaseAll(schedulerOf(powerOfTwo, many(50), seed), fleet()).map((a) => a.replica.id);
    expect(draws(1)).toEqual(draws(1));
    expect(draws(1)).not.toEqual(draws(2));
  });
  it('never takes the most loaded of all, and of two the other', () => {
    const replicas = fleet();
    for (const request of runningRequests(50)) replicas[3]!.load.open(request, 0, replicas[3]!.stepTime);
    releaseAll(schedulerOf(powerOfTwo, many(200)), replicas);
    expect(replicas[3]!.load.inFlight).toBe(50);
    expect(chosen(powerOfTwo, [replicaView({ id: 'a', open: runningRequests(1) }), replicaView({ id: 'b' })])).toBe('b');
  });
});

describe('least-predicted-work', () => {
  it.each([
    [
      'long prompts',
      [replicaView({ id: 'a', open: runningRequests(1, { inputTokens: 20_000 }) }), replicaView({ id: 'b', open: runningRequests(3) })],
    ],
    [
      'long answers',
      [
        replicaView({ id: 'a', decoding: runningRequests(1, { predictedOutput: { p50: 9000, p90: 9000 } }) }),
        replicaView({ id: 'b', decoding: runningRequests(3) }),
      ],
    ],
    [
      'slow engines',
      [
        replicaView({ id: 'a', stepTime: measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients, open: runningRequests(1) }),
        replicaView({ id: 'b', stepTime: measuredStepTime('llama-3.1-8b', 'B200-SXM', 1)!.coefficients, open: runningRequests(2) }),
      ],
    ],
  ])('weighs %s by what they take', (_, replicas) => {
    expect(chosen(leastPredictedWork, replicas)).toBe('b');
  });
});

describe('shortest-predicted-ttft', () => {
  it('takes where the first token comes first: a busy batch before a queue of prompts, a cached prompt before both', () => {
    const prefix = { blocks: [1, 2, 3, 4, 5, 6, 7], blockTokens: 512 };
    const request = queuedRequest({ id: 'x', inputTokens: 4000, prefix });
    const prompts = replicaView({ id: 'prompts', open: runningRequests(2, { inputTokens: 8000 }) });
    const batch = replicaView({ id: 'batch', decoding: runningRequests(3) });
    const cached = replicaView({ id: 'cached', open: runningRequests(1) });
    cached.load.prefixes.add(prefix);
    expect(chosen(shortestPredictedTtft, [prompts, batch], request)).toBe('batch');
    expect(chosen(shortestPredictedTtft, [prompts, batch, cached], request)).toBe('cached');
  });
});

describe('latency-headroom', () => {
  const idle = () => replicaView({ id: 'idle' });
  const packed = (prompts = 2) => replicaView({ id: 'packed', open: runningRequests(prompts, { inputTokens: 4000 }) });
  const hopeless = () => replicaView({ id: 'hopeless', open: runningRequests(3, { inputTokens: 100_000 }) });
  it('packs where both targets are kept', () => {
    const request = queuedRequest({ id: 'x', targets: { ttftMs: 2000, tpotMs: 100 } });
    expect(chosen(latencyHeadroom, [idle(), packed(), hopeless()], request)).toBe('packed');
  });
  it('misses by the least where none keeps them', () => {
    const request = queuedRequest({ id: 'x', targets: { ttftMs: 1, tpotMs: 100 } });
    expect(chosen(latencyHeadroom, [hopeless(), packed(), idle()], request)).toBe('idle');
  });
  it('counts the time that the request has waited', () => {
    const request = queuedRequest({ id: 'x', targets: { ttftMs: 2000, tpotMs: 100 } });
    expect(chosen(latencyHeadroom, [packed(), idle()], request, 1900)).toBe('idle');
  });
  it('keeps a TPOT target however much time the first token has', () => {
    const request = queuedRequest({ id: 'x', targets: { ttftMs: 80_000_000, tpotMs: 9 } });
    const crowded = replicaView({ id: 'crowded', maxInFlight: 500, decoding: runningRequests(250) });
    expect(chosen(latencyHeadroom, [crowded, idle()], request)).toBe('idle');
  });
  it('weighs no first token where nobody was promised one', () => {
    const request = queuedRequest({ id: 'x', targets: { tpotMs: 100 } });
    const { ttftMs: _, ...targets } = request.targets;
    const batch = replicaView({ id: 'batch', decoding: runningRequests(3, { inputTokens: 4000 }) });
    expect(chosen(latencyHeadroom, [idle(), packed(1), batch], { ...request, targets })).toBe('batch');
  });
});

describe('prefix-affinity', () => {
  const prefix = { blocks: ['a', 'b', 'c', 'd'], blockTokens: 512 };
  const request = queuedRequest({ id: 'x', inputTokens: 3000, prefix });
  const holding = (id: string, blocks: number, open = 0) => {
    const view = replicaView({ id, ...wide, open: runningRequests(open) });
    view.load.prefixes.add({ ...prefix, blocks: prefix.blocks.slice(0, blocks) });
    return view;
  };
  it.each([
    ['the longest match, though it has more to do', [holding('a', 2), holding('b', 4, 50), holding('c', 0)], 'b'],
    ['the least loaded of equal matches', [holding('a', 3, 9), holding('b', 3, 2), holding('c', 0)], 'b'],
    ['the least loaded where less than 0.3 matches', [holding('a', 1, 5), holding('b', 0)], 'b'],
    ['the least loaded where loads are uneven', [holding('a', 4, 66), holding('b', 0, 1)], 'b'],
    ['the match where they differ by no more than 64', [holding('a', 4, 65), holding('b', 0, 1)], 'a'],
    ['the match where they differ by less than half', [holding('a', 4, 280), holding('b', 0, 200)], 'a'],
  ])('takes %s', (_, replicas, expected) => {
    expect(chosen(prefixAffinity, replicas, request)).toBe(expected);
  });
  it('takes the least loaded for a prompt that nobody looked at, or that is unknown', () => {
    const replicas = [holding('a', 4, 2), holding('b', 0, 1)];
    expect(chosen(prefixAffinity, replicas)).toBe('b');
    expect(chosen(prefixAffinity, replicas, queuedRequest({ id: 'x', prefix: { blocks: ['z'], blockTokens: 512 } }))).toBe('b');
  });
});
