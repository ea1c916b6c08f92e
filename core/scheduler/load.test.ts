import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queuedRequest, replicaView } from '../../test/support/scheduling.ts';
import { measuredStepTime, multiplied, type StepTimeCoefficients } from '../domain/step-time.ts';
import { createEngine, step, submit } from '../simulator/engine.ts';
import type { EngineRequest } from '../simulator/engine-state.ts';
import { ReplicaLoad } from './load.ts';
import { chunkedPrefillMs } from './prefill.ts';
import type { QueuedRequest } from './types.ts';

const { stepTime } = replicaView({ id: 'a' });
type Counted = QueuedRequest & { producedTokens: number };
const counted = (parts: Parameters<typeof queuedRequest>[0]) => queuedRequest(parts) as Counted;

/** All sums that policies read. */
const sums = (load: ReplicaLoad) => ({
  inFlight: load.inFlight,
  prefilling: load.prefilling,
  prefillTokens: load.prefillTokens,
  prefillSquares: load.prefillSquares,
  decodeContextTokens: load.decodeContextTokens,
  outstandingDecodeTokens: load.outstandingDecodeTokens,
  expectedKvTokens: load.expectedKvTokens,
  cautiousKvTokens: load.cautiousKvTokens,
});
const EMPTY = sums(new ReplicaLoad(1));

describe('what is open on a replica', () => {
  it('counts a request from its release to its end', () => {
    const load = new ReplicaLoad(100_000);
    const [a, b] = [counted({ id: 'a', inputTokens: 1000 }), counted({ id: 'b', inputTokens: 3000 })];
    load.open(a, 0, stepTime);
    load.open(b, 0, stepTime);
    const opened = { inFlight: 2, prefilling: 2, prefillTokens: 4000, prefillSquares: 1e7, expectedKvTokens: 4200, cautiousKvTokens: 4600 };
    expect(sums(load)).toEqual({ ...opened, decodeContextTokens: 0, outstandingDecodeTokens: 200 });
    load.produced(1);
    load.firstToken(a, 50, stepTime);
    load.firstToken(a, 51, stepTime);
    load.produced(9);
    a.producedTokens = 10;
    const decoding = { prefilling: 1, prefillTokens: 3000, prefillSquares: 9e6, decodeContextTokens: 1010, outstandingDecodeTokens: 190 };
    expect(sums(load)).toEqual({ ...opened, ...decoding });
    load.end(a, 100, stepTime);
    load.end(a, 101, stepTime);
    expect(sums(load)).toMatchObject({ inFlight: 1, decodeContextTokens: 0, outstandingDecodeTokens: 100, expectedKvTokens: 3100 });
    load.end(b, 102, stepTime);
    expect(sums(load)).toEqual(EMPTY);
    expect([load.started, load.ended]).toEqual([2, 2]);
  });

  it('is not owed less by others because one answer outgrew its prediction', () => {
    const load = new ReplicaLoad(100_000);
    const [long, other] = [counted({ id: 'long' }), counted({ id: 'other' })];
    for (const request of [long, other]) load.open(request, 0, stepTime);
    for (const request of [long, other]) load.firstToken(request, 10, stepTime);
    load.produced(5000);
    expect(load.outstandingDecodeTokens).toBe(0);
    long.producedTokens = 4990;
    load.end(long, 1000, stepTime);
    expect(load.outstandingDecodeTokens).toBe(90);
  });

  it('prefills only what is not cached of a prompt', () => {
    const load = new ReplicaLoad(100_000);
    const prefix = { blocks: ['a', 'b'], blockTokens: 512 };
    const [first, second] = [counted({ id: '1', inputTokens: 2000, prefix }), counted({ id: '2', inputTokens: 2000, prefix })];
    load.open(first, 0, stepTime);
    load.open(second, 0, stepTime);
    expect(sums(load)).toMatchObject({ prefillTokens: 2000 + 976, prefillSquares: 2 * 2000 ** 2 - 1024 ** 2 });
    load.end(second, 1, stepTime);
    load.end(first, 1, stepTime);
    expect(sums(load)).toEqual(EMPTY);
  });

  it('knows the tightest TPOT target of what it has', () => {
    const load = new ReplicaLoad(100_000);
    const targets = [50, 20, 20, undefined, 100];
    const requests = targets.map((tpotMs, i) => counted({ id: `r${i}`, targets: tpotMs === undefined ? {} : { tpotMs } }));
    const seen = requests.map((request) => {
      load.open(request, 0, stepTime);
      return load.tightestTpotMs;
    });
    expect(seen).toEqual([50, 20, 20, 20, 20]);
    const left = requests.map((_, i) => {
      load.end(requests[[1, 2, 0, 4, 3][i]!]!, 0, stepTime);
      return load.tightestTpotMs;
    });
    expect(left).toEqual([20, 50, 100, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('holds a replica to twice the TPOT target of a request that is opened after its first token or its end was due', () => {
    const load = new ReplicaLoad(100_000);
    const late = counted({ id: 'late', arrivalMs: 0, targets: { tpotMs: 50, ttftMs: 500 } });
    const ended = counted({ id: 'ended', arrivalMs: 0, targets: { tpotMs: 30, e2eMs: 400 } });
    const inTime = counted({ id: 'in-time', arrivalMs: 101, targets: { tpotMs: 80, ttftMs: 500 } });
    const tightest = [late, ended, inTime].map((request) => {
      load.open(request, 501, stepTime);
      return load.tightestTpotMs;
    });
    expect(tightest).toEqual([100, 60, 60]);
    load.end(ended, 501, stepTime);
    expect(load.tightestTpotMs).toBe(80);
    load.end(inTime, 501, stepTime);
    expect(load.tightestTpotMs).toBe(100);
    load.end(late, 501, stepTime);
    expect(load.tightestTpotMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('sums up what is open after any events, is never negative, and is exactly 0 when all has ended', () => {
    const request = fc.record({
      inputTokens: fc.integer({ min: 0, max: 5000 }),
      p50: fc.double({ min: 0.1, max: 500, noNaN: true }),
      tpotMs: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
      blocks: fc.option(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 6 }), { nil: null }),
    });
    const event = fc.record({
      which: fc.nat({ max: 7 }),
      kind: fc.constantFrom('open' as const, 'first' as const, 'produce' as const, 'end' as const),
      afterMs: fc.nat({ max: 50 }),
      tokens: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 8, maxLength: 8 }), fc.array(event, { maxLength: 60 }), (parts, events) => {
        const load = new ReplicaLoad(2000);
        const requests = parts.map(({ inputTokens, p50, tpotMs, blocks }, i) =>
          counted({
            id: `r${i}`,
            inputTokens,
            predictedOutput: { p50, p90: 2 * p50 },
            prefix: blocks && { blocks, blockTokens: 512 },
            targets: tpotMs === undefined ? {} : { tpotMs },
          }),
        );
        const state = new Map<Counted, 'prefilling' | 'decoding'>();
        let nowMs = 0;
        for (const { which, kind, afterMs, tokens } of events) {
          nowMs += afterMs;
          const r = requests[which]!;
          if (kind === 'open' && !state.has(r)) {
            r.producedTokens = 0;
            load.open(r, nowMs, stepTime);
            state.set(r, 'prefilling');
          } else if (kind === 'first' && state.has(r)) {
            state.set(r, 'decoding');
            load.firstToken(r, nowMs, stepTime);
          } else if (kind === 'produce' && state.get(r) === 'decoding') {
            r.producedTokens += tokens;
            load.produced(tokens);
          } else if (kind === 'end') {
            load.end(r, nowMs, stepTime);
            state.delete(r);
          }
          const open = [...state.keys()];
          const decoding = open.filter((o) => state.get(o) === 'decoding');
          const sum = (of: readonly Counted[], value: (r: Counted) => number) => of.reduce((total, o) => total + value(o), 0);
          expect(load.inFlight).toBe(open.length);
          expect(load.prefilling).toBe(open.length - decoding.length);
          expect(load.decodeContextTokens).toBe(sum(decoding, (o) => o.inputTokens + o.producedTokens));
          expect(load.outstandingDecodeTokens).toBeCloseTo(
            Math.max(
              0,
              sum(open, (o) => o.predictedOutput.p50 - o.producedTokens),
            ),
            6,
          );
          expect(load.expectedKvTokens).toBeCloseTo(
            sum(open, (o) => o.inputTokens + o.predictedOutput.p50),
            6,
          );
          expect(load.cautiousKvTokens).toBeCloseTo(
            sum(open, (o) => o.inputTokens + o.predictedOutput.p90),
            6,
          );
          expect(load.tightestTpotMs).toBe(Math.min(...open.map((o) => o.targets.tpotMs ?? Number.POSITIVE_INFINITY)));
          expect(load.prefillTokens).toBeLessThanOrEqual(sum(open, (o) => (state.get(o) === 'prefilling' ? o.inputTokens : 0)));
          for (const value of Object.values(sums(load))) expect(value).toBeGreaterThanOrEqual(0);
          expect(load.stepTimeScale).toBeGreaterThan(0);
          expect(load.prefillShare(nowMs)).toBeGreaterThanOrEqual(0);
          expect(load.prefillShare(nowMs)).toBeLessThanOrEqual(0.95);
        }
        for (const r of requests) load.end(r, nowMs, stepTime);
        expect(sums(load)).toEqual(EMPTY);
      }),
    );
  });
});

interface Stream {
  /** Requests that are kept open together. */
  atOnce: number;
  inputTokens: number;
  outputTokens: number;
}

/** Keeps an engine that is so many times slower than its model busy for a while, and tells the load what a gateway would. */
function observe({ atOnce, inputTokens, outputTokens }: Stream, slower: number, real: StepTimeCoefficients = stepTime) {
  const limits = { kvCacheTokens: 1e7, maxContextTokens: 131_072, maxSequences: 256, maxBatchedTokens: 2048, scheduling: 'fcfs' as const };
  const engine = createEngine<EngineRequest & { open: Counted }>({ stepTime: real, ...limits });
  const load = new ReplicaLoad(1e7);
  let nowMs = 0;
  let started = 0;
  let promptMs = 0;
  const scales: number[] = [];
  const start = () => {
    // Not all alike, or they would end together for ever.
    const spread = 0.5 + ((started * 7) % 11) / 10;
    const size = { inputTokens: Math.ceil(inputTokens * spread), outputTokens: Math.ceil(outputTokens * spread) };
    const open = counted({ id: `q${started++}`, inputTokens: size.inputTokens });
    submit(engine, { ...size, open });
    load.open(open, nowMs, real);
  };
  for (let i = 0; i < atOnce; i++) start();
  while (nowMs < 35_000) {
    const { durationMs, emitted, firsts, finished, load: work } = step(engine);
    nowMs += durationMs * slower;
    if (nowMs > 15_000 && work.prefillTokens > 0) promptMs += slower * chunkedPrefillMs(real, work.prefillTokens, work.prefillSquares);
    for (const { request } of emitted) request.open.producedTokens++;
    load.produced(emitted.length);
    for (const { request } of firsts) load.firstToken(request.open, nowMs, real);
    for (const { request } of finished) load.end(request.open, nowMs, real);
    for (let i = finished.length; i > 0; i--) start();
    if (nowMs > 15_000) scales.push(load.stepTimeScale);
  }
  return { load, scale: scales.reduce((a, b) => a + b, 0) / scales.length, promptShare: promptMs / (nowMs - 15_000), nowMs };
}

const STREAMS: [string, Stream][] = [
  ['chats, a full batch', { atOnce: 128, inputTokens: 1000, outputTokens: 200 }],
  ['chats, a few', { atOnce: 4, inputTokens: 1000, outputTokens: 200 }],
  ['one after another', { atOnce: 1, inputTokens: 500, outputTokens: 20 }],
  ['long prompts, short answers', { atOnce: 16, inputTokens: 8000, outputTokens: 10 }],
  ['short prompts, single tokens', { atOnce: 1, inputTokens: 100, outputTokens: 1 }],
];

describe('how wrong the step-time model is', () => {
  it.each(STREAMS)('converges to the truth: %s', (_, stream) => {
    for (const slower of [0.7, 1, 1.4]) {
      const { scale } = observe(stream, slower);
      expect.soft(scale / slower, `${slower}`).toBeGreaterThan(0.9);
      expect.soft(scale / slower, `${slower}`).toBeLessThan(1.1);
    }
  });
  it('is corrected by no more than three times', () => {
    expect(observe(STREAMS[1]![1], 10).load.stepTimeScale).toBe(3);
    expect(observe(STREAMS[2]![1], 0.1).load.stepTimeScale).toBeCloseTo(1 / 3, 9);
  });
  it('is told to others as it is, however far apart, and not of what was too little or too long ago', () => {
    const { load, nowMs } = observe(STREAMS[0]![1], 5);
    expect(load.stepTimeRatio(nowMs)).toBeGreaterThan(4.5);
    expect(load.stepTimeRatio(nowMs)).toBeLessThan(5.5);
    expect(load.stepTimeRatio(nowMs + 60_000)).toBeNull();
    const fresh = new ReplicaLoad(1000);
    fresh.open(queuedRequest({ id: 'a' }), 0, stepTime);
    fresh.produced(1);
    fresh.end(queuedRequest({ id: 'a' }), 500, stepTime);
    expect(fresh.stepTimeRatio(500)).toBeNull();
  });
  it('is told in new coefficients once those are in force', () => {
    const { load, nowMs } = observe(STREAMS[0]![1], 2);
    const before = load.stepTimeRatio(nowMs)!;
    load.restateStepTime(stepTime, multiplied(stepTime, 2));
    expect(load.stepTimeRatio(nowMs)).toBeCloseTo(before / 2, 9);
    expect(Math.abs(load.stepTimeScale - 1)).toBeLessThan(0.1);
    load.restateStepTime(multiplied(stepTime, 2), stepTime);
    expect(load.stepTimeRatio(nowMs)).toBeCloseTo(before, 9);
  });
  it('believes the model before anything was seen, and after any silence', () => {
    const load = new ReplicaLoad(1000);
    expect(load.stepTimeScale).toBe(1);
    load.open(queuedRequest({ id: 'a' }), 1e9, stepTime);
    expect(load.stepTimeScale).toBe(1);
  });
});

describe('the share of time that prompts take', () => {
  it('is right for a steady stream', () => {
    const { load, promptShare, nowMs } = observe(STREAMS[0]![1], 1);
    expect(promptShare).toBeGreaterThan(0.1);
    expect(Math.abs(load.prefillShare(nowMs) / promptShare - 1)).toBeLessThan(0.3);
  });
  it('is corrected as steps are, and fades', () => {
    const { load, promptShare, nowMs } = observe(STREAMS[0]![1], 1.4);
    expect(Math.abs(load.prefillShare(nowMs) / promptShare - 1)).toBeLessThan(0.3);
    expect(load.prefillShare(nowMs + 600_000)).toBeLessThan(0.001);
  });
  it('of nothing is nothing', () => {
    expect(new ReplicaLoad(1000).prefillShare(1e12)).toBe(0);
  });
  it('never reaches all of it', () => {
    const a100 = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;
    const { load, nowMs } = observe({ atOnce: 16, inputTokens: 8000, outputTokens: 1 }, 1, a100);
    expect(load.prefillShare(nowMs)).toBeGreaterThan(0.7);
    expect(load.prefillShare(nowMs)).toBeLessThanOrEqual(0.95);
  });
});
