import { describe, expect, it } from 'vitest';
import { queuedRequest } from '../../test/support/scheduling.ts';
import {
  measuredStepTime,
  multiplied,
  type StepSample,
  type StepTimeCoefficients,
  type StepTimeTerm,
  stepTimeMs,
} from '../domain/step-time.ts';
import { ReplicaLoad } from '../scheduler/load.ts';
import { createEngine, step, submit } from '../simulator/engine.ts';
import type { EngineRequest } from '../simulator/engine-state.ts';
import { createRandom } from '../simulator/random.ts';
import { LiveStepTime } from './live-step-time.ts';
import { furthestRatio } from './shapes.ts';

const HELD = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;
const with3 = (term: StepTimeTerm): StepTimeCoefficients => ({ ...HELD, [term]: 3 * HELD[term] });

/** Of the loads that are compared, the furthest that it is off, as a share. */
const off = (live: LiveStepTime, truth: StepTimeCoefficients) => Math.abs(Math.log(furthestRatio(live.coefficients!, truth)));

/**
 * An engine that takes so long for its steps, under chats whose number goes up and down; a gateway counts as it does in production. Steps scatter
 * by 5 %.
 */
function serve(live: LiveStepTime, truth: StepTimeCoefficients, steps: number, most = 60): void {
  const random = createRandom('live');
  const noise = { share: 0.05, random: createRandom('noise') };
  const engine = createEngine<EngineRequest & ReturnType<typeof queuedRequest>>({
    ...{
      stepTime: truth,
      kvCacheTokens: 1e6,
      maxContextTokens: 32_768,
      maxSequences: 256,
      maxBatchedTokens: 2048,
      scheduling: 'fcfs',
      noise,
    },
  });
  const load = new ReplicaLoad(0, (sample) => live.observe(sample));
  let nowMs = 0;
  let id = 0;
  for (let i = 0; i < steps; i++) {
    const wanted = 1 + Math.round((most - 1) * (0.5 + 0.5 * Math.sin(i / 300)));
    for (; load.inFlight < wanted; id++) {
      const inputTokens = 50 + Math.round(random() * 2500);
      const request = {
        ...queuedRequest({ id: String(id), inputTokens }),
        outputTokens: 20 + Math.round(random() * 400),
        producedTokens: 0,
      };
      submit(engine, request, 0);
      load.open(request, nowMs, HELD);
    }
    const { durationMs, emitted, firsts, finished } = step(engine);
    nowMs += durationMs;
    load.produced(emitted.length);
    for (const { request } of firsts) load.firstToken(request, nowMs, HELD);
    for (const { request } of finished) load.end(Object.assign(request, { producedTokens: request.outputTokens }), nowMs, HELD);
  }
}

describe('coefficients from live steps', () => {
  it.each(['d0', 'd2', 'rc'] as const)('find within 4,000 steps that %s alone has become three times as much', (term) => {
    const live = new LiveStepTime(HELD);
    const truth = with3(term);
    serve(live, truth, 4000);
    const before = Math.abs(Math.log(furthestRatio(HELD, truth)));
    expect(before).toBeGreaterThan(0.25);
    expect(off(live, truth)).toBeLessThan(0.08);
    expect(live.coefficients![term] / HELD[term]).toBeGreaterThan(2.3);
    for (const other of ['d0', 'd2', 'rc'] as const) if (other !== term) expect(live.coefficients![other] / HELD[other]).toBeLessThan(1.25);
  });

  it('stay as they are where steps take what is held, under load and without', () => {
    for (const most of [1, 8, 60]) {
      const live = new LiveStepTime(HELD);
      serve(live, HELD, 4000, most);
      expect(off(live, HELD)).toBeLessThan(0.04);
    }
  });

  it('follow a change in the middle', () => {
    const live = new LiveStepTime(HELD);
    serve(live, HELD, 8000);
    serve(live, with3('d2'), 6000);
    expect(off(live, with3('d2'))).toBeLessThan(0.08);
    serve(live, HELD, 6000);
    expect(off(live, HELD)).toBeLessThan(0.08);
  });

  it('are the same when others come into force meanwhile', () => {
    const live = new LiveStepTime(HELD);
    serve(live, with3('d2'), 4000);
    const seen = live.coefficients!;
    live.restate(seen);
    expect(Math.abs(Math.log(furthestRatio(live.coefficients!, seen)))).toBeLessThan(0.02);
    live.restate(multiplied(HELD, 0.5));
    expect(Math.abs(Math.log(furthestRatio(live.coefficients!, seen)))).toBeLessThan(0.06);
  });

  const sample = (parts: Partial<StepSample> = {}): StepSample => {
    const steps = 60;
    const ms = steps * stepTimeMs(HELD, { prefillTokens: 0, prefillSquares: 0, decodeSequences: 10, decodeContextTokens: 8000 });
    return { ms, steps, sequences: 600, contextTokens: 480_000, prefillTokens: 0, prefillSquares: 0, computeMs: 0, weightsMs: 0, ...parts };
  };

  it('do not drift where nothing tells of them: one load all the time, no prompts', () => {
    const live = new LiveStepTime(HELD);
    for (let i = 0; i < 5000; i++) live.observe(sample({ ms: 1.5 * sample().ms }));
    const { d0, d1, d2, ra, rc, rb } = live.coefficients!;
    expect([ra, rc, rb]).toEqual([HELD.ra, HELD.rc, HELD.rb].map((held) => expect.closeTo(held, 9)));
    for (const ratio of [d0 / HELD.d0, d1 / HELD.d1, d2 / HELD.d2]) {
      expect(ratio).toBeGreaterThan(1);
      expect(ratio).toBeLessThan(2);
    }
  });

  it('count a stall as little as an outlier', () => {
    const live = new LiveStepTime(HELD);
    for (let i = 0; i < 400; i++) live.observe(sample(i % 20 === 0 ? { ms: 30_000 } : {}));
    expect(live.coefficients!.d0 / HELD.d0).toBeLessThan(1.05);
  });

  it('are positive and within ten times what is held, whatever is told', () => {
    const live = new LiveStepTime({ ...HELD, d1: 0 });
    const random = createRandom('absurd');
    const absurd = [0, 1, 1e9, -5, Number.NaN, Number.POSITIVE_INFINITY];
    const any = () => absurd[Math.floor(random() * absurd.length)]!;
    for (let i = 0; i < 2000; i++)
      live.observe(
        {
          ms: any(),
          steps: any(),
          sequences: any(),
          contextTokens: any(),
          prefillTokens: any(),
          prefillSquares: any(),
          computeMs: any(),
          weightsMs: any(),
        },
        any(),
      );
    for (let i = 0; i < 20; i++) live.observe(sample());
    for (const term of ['d0', 'd2', 'ra', 'rc', 'rb'] as const) {
      expect(live.coefficients![term]).toBeGreaterThanOrEqual(HELD[term] / 10 - 1e-12);
      expect(live.coefficients![term]).toBeLessThanOrEqual(HELD[term] * 10);
    }
    expect(live.coefficients!.d1).toBe(0);
  });

  it('say nothing before there are samples enough', () => {
    const live = new LiveStepTime(HELD);
    for (let i = 0; i < 5; i++) live.observe(sample());
    expect([live.coefficients, live.ratio]).toEqual([null, null]);
    for (let i = 0; i < 5; i++) live.observe(sample({ ms: 1.02 * sample().ms }));
    expect(live.coefficients).not.toBeNull();
    expect(live.ratio).toBeCloseTo(1, 1);
  });

  it('see what others have on the engine, where they are told how much', () => {
    const [alone, shared] = [new LiveStepTime(HELD), new LiveStepTime(HELD)];
    const ms = 60 * stepTimeMs(HELD, { prefillTokens: 0, prefillSquares: 0, decodeSequences: 40, decodeContextTokens: 32_000 });
    for (let i = 0; i < 100; i++) {
      alone.observe(sample({ ms }));
      shared.observe(sample({ ms }), 4);
    }
    expect(shared.ratio).toBeCloseTo(1, 2);
    expect(alone.ratio).toBeGreaterThan(1.15);
  });
});
