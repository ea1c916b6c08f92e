import { describe, expect, it } from 'vitest';
import { predictOutput } from './predict.ts';
import { recalibrate } from './recalibrate.ts';
import { COLD_START_SNAPSHOT } from './snapshot.ts';

const request = { model: 'm', class: 'interactive', tenant: 'default', inputTokens: 700, maxTokens: null, streamed: true };
const p90 = (snapshot: typeof COLD_START_SNAPSHOT, more: Partial<typeof request> = {}) =>
  predictOutput(snapshot, { ...request, ...more }).p90;

describe('recalibrate', () => {
  it('multiplies the lengths of a model, whatever the input, and no other model’s', () => {
    const corrected = recalibrate(COLD_START_SNAPSHOT, { model: 'm', class: null, factor: 3 });
    for (const inputTokens of [1, 700, 100_000]) {
      expect(p90(corrected, { inputTokens }) / p90(COLD_START_SNAPSHOT, { inputTokens })).toBeCloseTo(3);
    }
    expect(p90(corrected, { model: 'other' })).toBe(p90(COLD_START_SNAPSHOT, { model: 'other' }));
  });

  it('multiplies those of one class', () => {
    const corrected = recalibrate(COLD_START_SNAPSHOT, { model: 'm', class: 'interactive', factor: 0.5 });
    expect(p90(corrected) / p90(COLD_START_SNAPSHOT)).toBeCloseTo(0.5);
    expect(p90(corrected, { class: 'batch' })).toBeCloseTo(p90(COLD_START_SNAPSHOT, { class: 'batch' }));
  });

  it('is taken back by its inverse', () => {
    const there = recalibrate(COLD_START_SNAPSHOT, { model: 'm', class: null, factor: 3 });
    expect(p90(recalibrate(there, { model: 'm', class: null, factor: 1 / 3 }))).toBeCloseTo(p90(COLD_START_SNAPSHOT));
  });
});
