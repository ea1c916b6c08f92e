import { describe, expect, it } from 'vitest';
import { measuredStepTime, type StepSample, stepTimeMs } from '../../core/domain/step-time.ts';
import { StepWatch } from './step-watch.ts';

const HELD = measuredStepTime('llama-3.1-8b', 'A100-80G-SXM', 1)!.coefficients;
const steps = 60;
const msOf = (decodeSequences: number) =>
  steps * stepTimeMs(HELD, { prefillTokens: 0, prefillSquares: 0, decodeSequences, decodeContextTokens: 800 * decodeSequences });
/** Of a gateway with ten requests on an engine that has so many in all. */
const sample = (all: number): StepSample => ({
  ...{ ms: msOf(all), steps, sequences: 10 * steps, contextTokens: 8000 * steps },
  ...{ prefillTokens: 0, prefillSquares: 0, computeMs: 0, weightsMs: 0 },
});

describe('the steps of an engine that other gateways use, too', () => {
  it('are compared with what all of them have there: one gateway alone would hold them to be slow', () => {
    const watch = new StepWatch(HELD);
    for (let i = 0; i < 40; i++) watch.observe(sample(40), 4, i * 1000);
    const byOwnStreams = msOf(40) / msOf(10);
    expect(byOwnStreams).toBeGreaterThan(1.15);
    expect(watch.ratio(byOwnStreams, 1, 40_000)).toBe(byOwnStreams);
    expect(watch.ratio(byOwnStreams, 4, 40_000)).toBeCloseTo(1, 2);
    expect(watch.coefficients(40_000)!.d0 / HELD.d0).toBeCloseTo(1, 1);
  });

  it('are not looked at where they are hardly its own, where answers come as a whole, and after a while', () => {
    const far = new StepWatch(HELD);
    for (let i = 0; i < 40; i++) far.observe(sample(100), 10, i * 1000);
    expect([far.coefficients(40_000), far.ratio(1.5, 10, 40_000)]).toEqual([null, null]);
    const whole = new StepWatch(HELD);
    whole.countWholeAnswer(1);
    for (let i = 0; i < 40; i++) whole.observe(sample(10), 1, i * 1000);
    expect(whole.coefficients(40_000)).toBeNull();
    whole.countWholeAnswer(-1);
    for (let i = 40; i < 80; i++) whole.observe(sample(10), 1, i * 1000);
    expect(whole.coefficients(80_000)).not.toBeNull();
    expect(whole.coefficients(120_000)).toBeNull();
  });
});
