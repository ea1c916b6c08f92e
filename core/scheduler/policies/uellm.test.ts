import { describe, expect, it } from 'vitest';
import { queuedRequest, releaseAll, replicaView, runningRequests, schedulerOf } from '../../../test/support/scheduling.ts';
import { withRevisionShares } from '../revisions.ts';
import type { QueuedRequest, ReplicaView, Scheduler } from '../types.ts';
import { uellm } from './uellm.ts';

const AMPLE = { maxInFlight: 256, kvCacheTokens: 4_000_000 };
/** Steps of about 25 ms: 200 sequences of 2000 tokens, without an end in sight. */
const busyWith = (id: string, tpotMs: number) =>
  replicaView({
    ...AMPLE,
    id,
    decoding: runningRequests(200, { inputTokens: 2000, targets: { tpotMs }, predictedOutput: { p50: 500, p90: 800 } }),
  });
/** Releases what can go, and lets its first token come at once, until nothing goes. */
function served(scheduler: Scheduler, replica: ReplicaView, nowMs: number): string[] {
  const ids: string[] = [];
  for (let next = scheduler.next([replica], nowMs); next; next = scheduler.next([replica], nowMs)) {
    replica.load.open(next.request, nowMs, replica.stepTime);
    replica.load.firstToken(next.request, nowMs, replica.stepTime);
    ids.push(next.request.id);
  }
  return ids;
}
const firstOf = (request: QueuedRequest, replicas: readonly ReplicaView[], nowMs = 0) =>
  schedulerOf(uellm, [request]).next(replicas, nowMs);

describe('requests that can be in time', () => {
  it('go by when their first token is due, whatever came first', () => {
    const queue = [
      queuedRequest({ id: 'patient', arrivalMs: 0, targets: { ttftMs: 5000 } }),
      queuedRequest({ id: 'soon', arrivalMs: 20, targets: { ttftMs: 400 } }),
      queuedRequest({ id: 'later', arrivalMs: 10, targets: { ttftMs: 900 } }),
    ];
    expect(served(schedulerOf(uellm, queue), replicaView({ ...AMPLE, id: 'a' }), 30)).toEqual(['soon', 'later', 'patient']);
  });
  it('are due so long before their end that the answer has time, where only that is promised', () => {
    const targets = { ttftMs: undefined, e2eMs: 20_000 } as never;
    const queue = [
      queuedRequest({ id: 'short', targets, predictedOutput: { p50: 10, p90: 20 } }),
      queuedRequest({ id: 'long', targets, predictedOutput: { p50: 200, p90: 300 } }),
    ];
    expect(served(schedulerOf(uellm, queue), replicaView({ ...AMPLE, id: 'a' }), 0)).toEqual(['long', 'short']);
  });
  it('bind late: while a prompt is ahead, one that would make its step too long waits at the gateway', () => {
    const targets = { ttftMs: 5000, tpotMs: 50 };
    const [first, second] = ['first', 'second'].map((id) => queuedRequest({ id, inputTokens: 4000, targets }));
    const scheduler = schedulerOf(uellm, [first!, second!]);
    const replica = replicaView({ ...AMPLE, id: 'a', decoding: runningRequests(20, { targets }) });
    expect(releaseAll(scheduler, [replica]).map(({ request }) => request.id)).toEqual(['first']);
    expect(scheduler.next([replica], 5)).toBeNull();
    replica.load.firstToken(first!, 200, replica.stepTime);
    expect(scheduler.next([replica], 200)?.request.id).toBe('second');
  });
  it('join small prompts together where all of them fit one step', () => {
    const queue = Array.from({ length: 4 }, (_, i) => queuedRequest({ id: String(i), inputTokens: 50, targets: { tpotMs: 60 } }));
    const replica = replicaView({ ...AMPLE, id: 'a', decoding: runningRequests(5, { targets: { tpotMs: 60 } }) });
    expect(releaseAll(schedulerOf(uellm, queue), [replica])).toHaveLength(4);
  });
  it('take one of two idle replicas each', () => {
    const queue = ['x', 'y'].map((id) => queuedRequest({ id, inputTokens: 3000, targets: { tpotMs: 50 } }));
    const replicas = ['a', 'b'].map((id) => replicaView({ ...AMPLE, id }));
    expect(new Set(releaseAll(schedulerOf(uellm, queue), replicas).map(({ replica }) => replica.id))).toEqual(new Set(['a', 'b']));
  });
});

describe('the gate on time per token', () => {
  const asking = (tpotMs: number | undefined) =>
    queuedRequest({ id: 'new', targets: { ttftMs: 3000, ...(tpotMs === undefined ? {} : { tpotMs }) } });
  it.each([
    ['a tight request does not join a batch that is too slow for it', 100, 15, false],
    ['a loose request does not make a tight batch slower', 15, 100, false],
    ['nor does one without a target', 15, undefined, false],
    ['all join where all have time', 100, 100, true],
  ])('%s', (_, there, own, joins) => {
    expect(firstOf(asking(own), [busyWith('a', there)])?.replica.id).toBe(joins ? 'a' : undefined);
  });
  it('keeps those who wait for one replica from holding up those that another can have', () => {
    const scheduler = schedulerOf(uellm, [asking(15), queuedRequest({ id: 'loose', targets: { ttftMs: 4000, tpotMs: 100 } })]);
    const replicas = [busyWith('a', 100), busyWith('b', 100)];
    const went = scheduler.next(replicas, 0);
    expect(went?.request.id).toBe('loose');
  });
  it('is open on an idle replica, however slow it is', () => {
    expect(firstOf(asking(1), [replicaView({ ...AMPLE, id: 'a' })])?.replica.id).toBe('a');
  });
});

describe('requests that cannot be in time', () => {
  const late = (parts: object = {}) => queuedRequest({ id: 'late', targets: { ttftMs: 300 }, explain: true, ...parts });
  it('are demoted, and served where a replica has nothing better to do', () => {
    const went = firstOf(late(), [replicaView({ ...AMPLE, id: 'a' })], 1000);
    expect(went?.replica.id).toBe('a');
    expect(went?.explanation?.because).toMatch(/demoted/);
  });
  it('go behind those that can, also ones that came after them', () => {
    const scheduler = schedulerOf(uellm, [late(), queuedRequest({ id: 'in time', arrivalMs: 900 })]);
    expect(served(scheduler, replicaView({ ...AMPLE, id: 'a' }), 1000)).toEqual(['in time', 'late']);
  });
  it('wait while a replica has prompts or is well filled', () => {
    const prefilling = replicaView({ ...AMPLE, id: 'a', open: runningRequests(1) });
    expect(firstOf(late(), [prefilling], 1)).toBeTruthy();
    expect(firstOf(late({ arrivalMs: -5000 }), [prefilling], 1)).toBeNull();
    expect(firstOf(late(), [busyWith('b', 20)], 1000)).toBeNull();
  });
  it('do not wait for one that a replica can never hold: it takes those behind it while it is idle', () => {
    const small = replicaView({ ...AMPLE, id: 'small', kvCacheTokens: 10_000 });
    const large = busyWith('large', 20);
    const scheduler = schedulerOf(uellm, [late({ id: '1 long', inputTokens: 50_000 }), late({ id: '2' }), late({ id: '3' })]);
    expect(releaseAll(scheduler, [large, small], 1000).map(({ request, replica }) => [request.id, replica.id])).toEqual([['2', 'small']]);
    expect(firstOf(late({ inputTokens: 50_000 }), [large, small], 1000)).toBeNull();
  });
  it('come before all others once they have aged', () => {
    const queue = { maxWaitMs: 500 };
    const scheduler = schedulerOf(uellm, [late({ queue }), queuedRequest({ id: 'in time', arrivalMs: 2900, targets: { ttftMs: 200 } })]);
    expect(scheduler.next([], 0)).toBeNull();
    expect(scheduler.next([replicaView({ ...AMPLE, id: 'a' })], 3000)?.request.id).toBe('late');
  });
  it('take their share once they have aged, and no more, while others wait that can be in time', () => {
    const queue = { maxWaitMs: 100 };
    const aged = Array.from({ length: 20 }, (_, i) => queuedRequest({ id: `aged ${i}`, queue, targets: { ttftMs: 100 } }));
    const fresh = Array.from({ length: 20 }, (_, i) => queuedRequest({ id: `fresh ${i}`, arrivalMs: 4990, targets: { ttftMs: 10_000 } }));
    const order = served(schedulerOf(uellm, [...aged, ...fresh]), replicaView({ ...AMPLE, id: 'a' }), 5000);
    expect(order).toHaveLength(40);
    for (const kind of ['aged', 'fresh']) expect(order.slice(0, 20).filter((id) => id.startsWith(kind)).length).toBeGreaterThan(5);
  });
  it('take their share however many of them went while nobody else waited', () => {
    const queue = { maxWaitMs: 100 };
    const aged = (id: string) => queuedRequest({ id, queue, targets: { ttftMs: 100 } });
    const scheduler = schedulerOf(
      uellm,
      Array.from({ length: 200 }, (_, i) => aged(`aged ${i}`)),
    );
    const replica = replicaView({ ...AMPLE, id: 'a' });
    expect(served(scheduler, replica, 5000)).toHaveLength(200);
    for (let i = 0; i < 20; i++) {
      scheduler.enqueue(aged(`aged then ${i}`));
      scheduler.enqueue(queuedRequest({ id: `fresh ${i}`, arrivalMs: 4990, targets: { ttftMs: 10_000 } }));
    }
    const first = served(scheduler, replica, 5000).slice(0, 20);
    expect(first.filter((id) => id.startsWith('aged')).length).toBeGreaterThan(5);
  });
  it('once they have aged, have a replica emptied for them that can hold them, and no other', () => {
    const small = replicaView({ ...AMPLE, id: 'small', kvCacheTokens: 10_000 });
    const running = runningRequests(30, { inputTokens: 2000, targets: { tpotMs: 100 }, predictedOutput: { p50: 500, p90: 800 } });
    const large = replicaView({ ...AMPLE, id: 'large', kvCacheTokens: 100_000, decoding: running });
    const long = queuedRequest({ id: 'long', inputTokens: 50_000, queue: { maxWaitMs: 100 } });
    const fresh = ['first', 'second'].map((id) => queuedRequest({ id, arrivalMs: 4990, targets: { ttftMs: 10_000 } }));
    const scheduler = schedulerOf(uellm, [long, ...fresh]);
    for (const id of ['first', 'second']) {
      const went = scheduler.next([small, large], 5000)!;
      expect([went.request.id, went.replica.id]).toEqual([id, 'small']);
      small.load.open(went.request, 5000, small.stepTime);
      small.load.firstToken(went.request, 5000, small.stepTime);
    }
    expect(scheduler.next([small, large], 5000)).toBeNull();
    for (const request of running) large.load.end(request, 5100, large.stepTime);
    expect(scheduler.next([small, large], 5100)?.replica.id).toBe('large');
  });
  it('have none emptied for them while it is not their turn: it would stand idle', () => {
    const running = runningRequests(30, { inputTokens: 2000, targets: { tpotMs: 100 }, predictedOutput: { p50: 500, p90: 800 } });
    const replica = replicaView({ ...AMPLE, id: 'a', kvCacheTokens: 100_000, decoding: running });
    const aged = (id: string, inputTokens: number) => queuedRequest({ id, inputTokens, queue: { maxWaitMs: 100 } });
    const scheduler = schedulerOf(uellm, [aged('1 short', 100), aged('2 long', 50_000)]);
    expect(scheduler.next([{ ...replica, accepting: false }], 5000)).toBeNull();
    for (const id of ['first', 'second']) scheduler.enqueue(queuedRequest({ id, arrivalMs: 5000, targets: { ttftMs: 10_000 } }));
    // The short one takes the turn of the aged, the first one brings it back, and then the long one has the replica emptied.
    expect(served(scheduler, replica, 5000)).toEqual(['1 short', 'first']);
    for (const request of running) replica.load.end(request, 5100, replica.stepTime);
    expect(served(scheduler, replica, 5100)).toEqual(['2 long', 'second']);
  });
  it('have none emptied that has failed them, while another could hold them', () => {
    const failed = replicaView({ ...AMPLE, id: 'failed' });
    const other = busyWith('other', 20);
    const aged = queuedRequest({ id: 'aged', queue: { maxWaitMs: 100 }, avoid: ['failed'] });
    const [fresh, later] = ['fresh', 'later'].map((id) => queuedRequest({ id, arrivalMs: 4990, targets: { ttftMs: 10_000 } }));
    const scheduler = schedulerOf(uellm, [aged, fresh!, later!]);
    const full = { ...other, maxInFlight: 200 };
    expect(scheduler.next([failed, full], 5000)?.replica.id).toBe('failed');
    expect(scheduler.next([failed, full], 5000)?.replica.id).toBe('failed');
  });
});

describe('of several replicas', () => {
  it('that has the beginning of the prompt in its cache is preferred', () => {
    const prefix = { blocks: ['x', 'y', 'z'], blockTokens: 512 };
    for (const holder of ['a', 'b']) {
      const replicas = ['a', 'b'].map((id) => replicaView({ ...AMPLE, id }));
      replicas.find(({ id }) => id === holder)!.load.prefixes.add(prefix);
      expect(firstOf(queuedRequest({ id: 'r', inputTokens: 2000, prefix, targets: { tpotMs: 100 } }), replicas)?.replica.id).toBe(holder);
    }
  });
  it('that is filled less is preferred', () => {
    const replicas = [
      busyWith('busy', 100),
      replicaView({ ...AMPLE, id: 'less', decoding: runningRequests(20, { targets: { tpotMs: 100 } }) }),
    ];
    expect(firstOf(queuedRequest({ id: 'r', targets: { ttftMs: 3000, tpotMs: 100 } }), replicas)?.replica.id).toBe('less');
  });
  it('of unlike engines, prompts go where prompts are cheap, and long answers elsewhere', () => {
    const stepTime = { d0: 8, d1: 0.01, d2: 4e-5, ra: 0.015, rc: 0.006, rb: 0, o: 1 };
    const unlike = () => [
      replicaView({ ...AMPLE, id: 'quick with prompts', stepTime }),
      replicaView({ ...AMPLE, id: 'slow with prompts', stepTime: { ...stepTime, ra: 0.06, rc: 0.024 } }),
    ];
    const targets = { ttftMs: 5000, tpotMs: 100 };
    const of = (inputTokens: number, p50: number) =>
      queuedRequest({ id: 'r', inputTokens, predictedOutput: { p50, p90: p50 * 2 }, targets });
    const scheduler = uellm.createScheduler();
    // What is typical lies between.
    for (let i = 0; i < 200; i++) {
      const request = queuedRequest({ id: `${i}`, inputTokens: 1000, predictedOutput: { p50: 200, p90: 400 } });
      scheduler.enqueue(request);
      scheduler.cancel(request);
    }
    const went = (request: QueuedRequest) => {
      scheduler.enqueue(request);
      return scheduler.next(unlike(), 0)?.replica.id;
    };
    expect(went(of(4000, 20))).toBe('quick with prompts');
    expect(went(of(50, 800))).toBe('slow with prompts');
  });
  it('one that failed the request is avoided while there is another, and taken where there is none', () => {
    const request = queuedRequest({ id: 'r', avoid: ['a'] });
    const [a, b] = ['a', 'b'].map((id) => replicaView({ ...AMPLE, id }));
    expect(firstOf(request, [a!, b!])?.replica.id).toBe('b');
    expect(firstOf(request, [a!])?.replica.id).toBe('a');
    const full = replicaView({ id: 'b', maxInFlight: 1, open: runningRequests(1) });
    expect(firstOf(request, [a!, full])).toBeNull();
  });
  it('those of revisions have the shares that their weights say', () => {
    const replicas = [
      replicaView({ ...AMPLE, id: 'old', revision: 1, weight: 90 }),
      replicaView({ ...AMPLE, id: 'new', revision: 2, weight: 10 }),
    ];
    const scheduler = withRevisionShares(uellm.createScheduler());
    const counts: Record<string, number> = { old: 0, new: 0 };
    for (let i = 0; i < 200; i++) {
      const nowMs = i * 100;
      scheduler.enqueue(queuedRequest({ id: String(i), arrivalMs: nowMs, inputTokens: 100 }));
      const { request, replica } = scheduler.next(replicas, nowMs)!;
      counts[replica.id]!++;
      replica.load.open(request, nowMs, replica.stepTime);
      replica.load.firstToken(request, nowMs + 10, replica.stepTime);
      replica.load.end(request, nowMs + 50, replica.stepTime);
    }
    expect(counts).toEqual({ old: 180, new: 20 });
  });
  it('hundreds are all looked at in time: whoever is free is found', () => {
    const full = Array.from({ length: 300 }, (_, i) => replicaView({ id: `r${i}`, maxInFlight: 1, open: runningRequests(1) }));
    for (const free of [0, 127, 128, 200, 299]) {
      const replicas = full.map((replica, i) => (i === free ? replicaView({ ...AMPLE, id: `r${i}` }) : replica));
      const scheduler = schedulerOf(uellm, [queuedRequest({ id: 'r', targets: { ttftMs: 60_000 } })]);
      let went: string | undefined;
      for (let calls = 0; calls < 10 && !went; calls++) went = scheduler.next(replicas, calls)?.replica.id;
      expect(went).toBe(`r${free}`);
    }
  });
  it('hundreds are filled evenly', () => {
    const replicas = Array.from({ length: 300 }, (_, i) => replicaView({ id: `r${i}`, maxInFlight: 2, kvCacheTokens: 1e6 }));
    const scheduler = schedulerOf(
      uellm,
      Array.from({ length: 600 }, (_, i) => queuedRequest({ id: String(i), inputTokens: 10, targets: { ttftMs: 60_000 } })),
    );
    for (let calls = 0; calls < 20 && scheduler.size > 0; calls++) releaseAll(scheduler, replicas, calls);
    expect(scheduler.size).toBe(0);
    expect(replicas.every(({ load }) => load.inFlight === 2)).toBe(true);
  });
});

describe('explanations', () => {
  it('say why now, why there, and what spoke against the others', () => {
    const replicas = [
      replicaView({ ...AMPLE, id: 'idle' }),
      busyWith('slow', 20),
      replicaView({ id: 'full', maxInFlight: 1, open: runningRequests(1) }),
      replicaView({ ...AMPLE, id: 'failed' }),
    ];
    const request = queuedRequest({ id: 'r', arrivalMs: 100, targets: { ttftMs: 900, tpotMs: 20 }, avoid: ['failed'], explain: true });
    const { explanation } = firstOf(request, replicas, 150)!;
    expect(explanation).toMatchObject({ policy: 'uellm', replica: 'idle', waitedMs: 50, because: 'first token due in 850 ms; best fit' });
    expect(explanation!.considered.map(({ replica, verdict }) => [replica, verdict])).toEqual([
      ['idle', 'chosen'],
      ['slow', 'tokens too slow'],
      ['full', 'no place'],
      ['failed', 'failed it before'],
    ]);
    for (const { ttftMs, tpotMs, inFlight } of explanation!.considered) {
      expect([ttftMs, tpotMs].every((ms) => Number.isFinite(ms) && ms > 0)).toBe(true);
      expect(inFlight).toBeGreaterThanOrEqual(0);
    }
  });
  it('are made for those that ask', () => {
    expect(firstOf(queuedRequest({ id: 'r' }), [replicaView({ ...AMPLE, id: 'a' })])?.explanation).toBeNull();
  });
});

describe('whatever it is asked', () => {
  it('is nothing without replicas, and nothing is lost', () => {
    const scheduler = schedulerOf(uellm, [queuedRequest({ id: 'r' })]);
    expect(scheduler.next([], 0)).toBeNull();
    expect(scheduler.next([], 1e9)).toBeNull();
    expect(scheduler.size).toBe(1);
    expect(scheduler.next([replicaView({ ...AMPLE, id: 'a' })], 1e9)?.request.id).toBe('r');
    expect([scheduler.size, scheduler.next([replicaView({ ...AMPLE, id: 'a' })], 1e9)]).toEqual([0, null]);
  });
  it.each([
    [0, 1, 1],
    [1, 1e9, 1e9],
    [1e9, 1, 1],
    [1e9, 1e9, 1e9],
    [1000, 1, 1e9],
  ])('%f tokens in and %f to %f out go to an idle replica before long, with finite figures', (inputTokens, p50, p90) => {
    const request = queuedRequest({ id: 'r', inputTokens, predictedOutput: { p50, p90 }, explain: true, queue: { maxWaitMs: 1000 } });
    const scheduler = schedulerOf(uellm, [request]);
    const replica = replicaView({ id: 'a' });
    let went = scheduler.next([replica], 0);
    for (let nowMs = 500; !went && nowMs <= 10_000; nowMs += 500) went = scheduler.next([replica], nowMs);
    expect(went?.replica.id).toBe('a');
    for (const { ttftMs, tpotMs } of went!.explanation!.considered) expect(Number.isFinite(ttftMs) && Number.isFinite(tpotMs)).toBe(true);
    // And what comes after them is served as ever.
    replica.load.open(request, 0, replica.stepTime);
    replica.load.end(request, 20_000, replica.stepTime);
    scheduler.enqueue(queuedRequest({ id: 'next', arrivalMs: 20_000 }));
    expect(scheduler.next([replica], 20_000)?.request.id).toBe('next');
  });
  it('forgets who is cancelled, in time or demoted', () => {
    const [one, two] = [queuedRequest({ id: 'in time', arrivalMs: 9990 }), queuedRequest({ id: 'late' })];
    const scheduler = schedulerOf(uellm, [one, two]);
    const full = replicaView({ id: 'a', maxInFlight: 1, open: runningRequests(1) });
    expect(scheduler.next([full], 10_000)).toBeNull();
    expect([scheduler.cancel(one), scheduler.cancel(two), scheduler.cancel(one), scheduler.size]).toEqual([true, true, false, 0]);
    expect(scheduler.next([replicaView({ id: 'b' })], 10_000)).toBeNull();
  });
});
