import { describe, expect, it } from 'vitest';
import { decodeStepMs, measuredStepTime, type PaddedStepTime, paddedStepTime, prefillMs } from '../domain/step-time.ts';
import { createRandom } from './random.ts';
import { type Batch, createStaticEngine, paddedTokens, type StaticEngine, type StaticEngineConfig, submitBatch } from './static-engine.ts';

const coefficients = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;
/** The same times whatever the batch, as in the paper. A prefill is one more step where not given. */
const constantStepTime = ({ decodeStepMs, prefillMs = decodeStepMs }: { decodeStepMs: number; prefillMs?: number }): PaddedStepTime => ({
  prefillMs: () => prefillMs,
  decodeMs: () => decodeStepMs,
});
const config: StaticEngineConfig = { stepTime: constantStepTime({ decodeStepMs: 27.6 }), maxBatch: 8, kvCacheTokens: 10_000 };

const request = (inputTokens: number, outputTokens: number) => ({ inputTokens, outputTokens });
type Request = ReturnType<typeof request>;
const three = [request(100, 10), request(300, 50), request(20, 1)];

function run(engine: StaticEngine, requests: Request[], nowMs = 0): Batch<Request> {
  const result = submitBatch(engine, requests, nowMs);
  if (!result.accepted) throw new Error(result.rejection.reason);
  return result.batch;
}

describe('duration of a batch', () => {
  it('is a step for each token of its longest answer, at a constant step time', () => {
    const { startedAtMs, endsAtMs } = run(createStaticEngine(config), three, 1000);
    expect(startedAtMs).toBe(1000);
    expect(endsAtMs).toBeCloseTo(1000 + 50 * 27.6, 6);
    const slowStart = createStaticEngine({ ...config, stepTime: constantStepTime({ decodeStepMs: 27.6, prefillMs: 100 }) });
    expect(run(slowStart, three).endsAtMs).toBeCloseTo(100 + 49 * 27.6, 6);
  });

  it('is that of the engine with continuous batching for one request alone', () => {
    const engine = createStaticEngine({ ...config, stepTime: paddedStepTime(coefficients) });
    let expected = prefillMs(coefficients, 300, 300);
    for (let i = 1; i < 50; i++) expected += decodeStepMs(coefficients, 1, 300 + i);
    expect(run(engine, [request(300, 50)]).endsAtMs).toBeCloseTo(expected, 6);
  });

  it('counts every member as the longest until the end', () => {
    const engine = createStaticEngine({ ...config, stepTime: paddedStepTime(coefficients) });
    const { d0, d1, d2, ra, rc, rb, o } = coefficients;
    let expected = (d0 ** 4 + (ra * 900) ** 4) ** 0.25 + rc * 900 + rb * 3 * 300 ** 2 + o;
    expected += 49 * ((d0 ** 4 + (ra * 3) ** 4) ** 0.25 + d1 * 3 + o) + d2 * 3 * (49 * 300 + (49 * 50) / 2);
    expect(run(engine, three).endsAtMs).toBeCloseTo(expected, 6);
  });

  it('takes fitted prefills and constant decodes together', () => {
    const engine = createStaticEngine({ ...config, stepTime: { ...paddedStepTime(coefficients), decodeMs: () => 27.6 } });
    expect(run(engine, [request(300, 50)]).endsAtMs).toBeCloseTo(prefillMs(coefficients, 300, 300) + 49 * 27.6, 6);
  });

  it('scatters with noise, alike for a seed', () => {
    const end = (seed: number) =>
      run(createStaticEngine({ ...config, noise: { share: 0.05, random: createRandom(seed) } }), three).endsAtMs;
    expect(end(1)).toBe(end(1));
    expect(end(1)).not.toBe(end(2));
    expect(end(1) / (50 * 27.6)).toBeCloseTo(1, 1);
  });
});

describe('answers', () => {
  const seen = (answers?: StaticEngineConfig['answers']) =>
    run(createStaticEngine({ ...config, answers }), three).members.map((m) => [m.firstTokenAtMs / 27.6, m.endsAtMs / 27.6].map(Math.round));

  it('come with the end of the batch', () => {
    expect(seen()).toEqual(Array(3).fill([50, 50]));
    expect(seen('at-batch-end')).toEqual(seen());
  });

  it('or as they end, from the prefill on', () => {
    expect(seen('as-they-end')).toEqual([
      [1, 10],
      [1, 50],
      [1, 1],
    ]);
  });
});

describe('submitBatch', () => {
  it('takes one batch at a time', () => {
    const engine = createStaticEngine(config);
    const { endsAtMs } = run(engine, three);
    expect(submitBatch(engine, three, endsAtMs - 1)).toEqual({ accepted: false, rejection: { reason: 'busy', idleAtMs: endsAtMs } });
    expect(run(engine, three, endsAtMs).endsAtMs).toBeCloseTo(2 * endsAtMs, 6);
  });

  it('says which limit a batch exceeds, and leaves the engine idle', () => {
    const engine = createStaticEngine(config);
    const tooMany = Array<Request>(9).fill(request(1, 1));
    expect(submitBatch(engine, tooMany, 0)).toEqual({ accepted: false, rejection: { reason: 'batch-size', requests: 9, maxBatch: 8 } });
    expect(submitBatch(engine, [], 0)).toMatchObject({ rejection: { reason: 'batch-size', requests: 0 } });
    const padded = [request(4000, 1), request(1, 1001)];
    expect(paddedTokens(padded)).toBe(10_002);
    expect(submitBatch(engine, padded, 0)).toEqual({
      accepted: false,
      rejection: { reason: 'kv-cache-too-small', neededTokens: 10_002, limitTokens: 10_000 },
    });
    expect(submitBatch(engine, [request(4000, 1), request(1, 1000)], 0).accepted).toBe(true);
  });
});
