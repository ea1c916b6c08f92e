/** Replicas that `uellm` keeps for requests of looser TPOT targets, and who goes there all the same. */
import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../../test/support/scheduling.ts';
import { measuredStepTime } from '../../domain/step-time.ts';
import type { QueuedRequest, SchedulerPolicy } from '../types.ts';
import { createUellm, uellm } from './uellm.ts';

const AMPLE = { maxInFlight: 256, kvCacheTokens: 4_000_000 };

describe('slow replicas, which get through much more with loose targets', () => {
  const L40S = measuredStepTime('llama-3.1-8b', 'L40S', 1)!.coefficients;
  const START_MS = 60_000;
  const prefix = { blocks: ['x'], blockTokens: 512 };
  const tight = (id: string, parts: object = {}) =>
    queuedRequest({ id, arrivalMs: START_MS, targets: { ttftMs: 10_000, tpotMs: 50 }, ...parts });
  const loose = (id: string) => queuedRequest({ id, arrivalMs: START_MS, targets: { ttftMs: 10_000 } });
  const numbered = (count: number, make: (id: string) => QueuedRequest, kind: string) =>
    Array.from({ length: count }, (_, i) => make(`${kind} ${i}`));
  const kinds = (ids: readonly string[]) => new Set(ids.map((id) => id.split(' ')[0]));

  /** A quick replica and two slow ones that serve loose requests; others have waited for all of them for so long. */
  function waiting({ forMs = 500, before = [] as readonly QueuedRequest[], behind = [] as readonly QueuedRequest[], running = 20 } = {}) {
    const slow = ['slow 1', 'slow 2'].map((id) => replicaView({ ...AMPLE, id, stepTime: L40S, decoding: runningRequests(running) }));
    const quick = replicaView({ ...AMPLE, id: 'quick' });
    const queue = [...before, ...numbered(60, tight, 'tight'), ...numbered(40, loose, 'loose'), ...behind];
    const scheduler = schedulerOf(uellm, queue);
    const shut = { ...quick, accepting: false };
    const none = [shut, ...slow.map((replica) => ({ ...replica, accepting: false }))];
    for (let ms = 0; ms < forMs; ms += 100) expect(scheduler.next(none, START_MS + ms)).toBeNull();
    return { scheduler, slow, quick, open: [shut, ...slow] };
  }

  it('take none of tight targets while requests wait, as long as these have time', () => {
    const { scheduler, open } = waiting();
    expect(kinds(releaseAll(scheduler, open, START_MS + 500).map(({ request }) => request.id))).toEqual(new Set(['loose']));
  });
  it.each([
    ['those that have waited for half of their time', 500, 5100, 20],
    ['all where nobody had to wait', 0, 0, 20],
    ['all where they have nothing to do', 500, 500, 0],
  ])('take %s', (_, forMs, at, running) => {
    const { scheduler, open } = waiting({ forMs, running });
    expect(scheduler.next(open, START_MS + at)?.request.id).toBe('tight 0');
  });
  it('take one that another has failed', () => {
    const { scheduler, open } = waiting({ before: [tight('again', { avoid: ['quick'] })] });
    expect(scheduler.next(open, START_MS + 500)?.request.id).toBe('again');
  });
  it('take one whose prompt they have cached in part, also from behind one that keeps off', () => {
    const { scheduler, slow, open } = waiting({ before: [tight('first')], behind: [tight('cached', { prefix })] });
    slow[1]!.load.prefixes.add(prefix);
    const went = releaseAll(scheduler, open, START_MS + 500);
    expect(kinds(went.map(({ request }) => request.id))).toEqual(new Set(['loose']));
    const behind = waiting({ before: [tight('first'), tight('cached', { prefix })] });
    behind.slow[1]!.load.prefixes.add(prefix);
    const found = behind.scheduler.next(behind.open, START_MS + 500);
    expect([found?.request.id, found?.replica.id]).toEqual(['cached', 'slow 2']);
  });
  it('make nobody late who has little time', () => {
    /** Of a request that comes while others wait, looked at each 25 ms as gateways do. */
    const firstTokenMs = (policy: SchedulerPolicy, ttftMs: number, inputTokens: number) => {
      const slow = ['slow 1', 'slow 2'].map((id) => replicaView({ ...AMPLE, id, stepTime: L40S, decoding: runningRequests(20) }));
      const quick = replicaView({ ...AMPLE, id: 'quick', accepting: false });
      const scheduler = schedulerOf(policy, numbered(4, loose, 'loose'));
      const seen = numbered(2, tight, 'seen');
      for (const request of seen) scheduler.enqueue(request);
      const none = [quick, ...slow.map((replica) => ({ ...replica, accepting: false }))];
      for (let ms = 0; ms < 500; ms += 25) expect(scheduler.next(none, START_MS + ms)).toBeNull();
      for (const request of seen) scheduler.cancel(request);
      const arrivalMs = START_MS + 500;
      scheduler.enqueue(queuedRequest({ id: 'asks', arrivalMs, inputTokens, explain: true, targets: { ttftMs, tpotMs: 50 } }));
      for (let ms = 8; ms < 10_000; ms += 25) {
        const went = scheduler.next([quick, ...slow], arrivalMs + ms);
        if (went?.request.id === 'asks') return ms + went.explanation!.considered.find(({ verdict }) => verdict === 'chosen')!.ttftMs;
      }
      return Number.POSITIVE_INFINITY;
    };
    const without = createUellm('without', { tierGain: 0 });
    let waited = 0;
    for (let ttftMs = 120; ttftMs <= 600; ttftMs += 20) {
      for (const inputTokens of [100, 500, 1000, 1500, 2000]) {
        const [ours, atOnce] = [uellm, without].map((policy) => firstTokenMs(policy, ttftMs, inputTokens)) as [number, number];
        expect(ours > ttftMs, `${inputTokens} tokens within ${ttftMs} ms`).toBe(atOnce > ttftMs);
        if (ours > atOnce) waited += 1;
      }
    }
    expect(waited).toBeGreaterThan(10);
  });
  it('are told of in explanations', () => {
    const { scheduler, slow, quick } = waiting({ before: [tight('asks', { explain: true, targets: { ttftMs: 9000, tpotMs: 50 } })] });
    const { explanation } = scheduler.next([quick, ...slow], START_MS + 500)!;
    expect(explanation!.considered.map(({ replica, verdict }) => [replica, verdict])).toEqual([
      ['quick', 'chosen'],
      ['slow 1', 'kept for looser targets'],
      ['slow 2', 'kept for looser targets'],
    ]);
  });
});
