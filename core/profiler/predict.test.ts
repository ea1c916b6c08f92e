import { describe, expect, it } from 'vitest';
import { bucketOf, encodeFeatures, FEATURE_COUNT, INPUT_FEATURES } from './features.ts';
import { predictOutput, type RequestFeatures } from './predict.ts';
import { COLD_START_SNAPSHOT, profilerSnapshotSchema } from './snapshot.ts';

const request: RequestFeatures = { model: 'm', class: 'standard', tenant: 'default', inputTokens: 1155, maxTokens: null, streamed: true };

describe('features', () => {
  it.each([0, 1, 16, 17, 100, 1155, 16_384, 1_000_000])('lie between two knots of the input length (%i tokens)', (inputTokens) => {
    const hats = encodeFeatures({ ...request, inputTokens }, new Array(FEATURE_COUNT).fill(9)).slice(0, INPUT_FEATURES);
    expect(hats.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(hats.filter((h) => h > 0).length).toBeLessThanOrEqual(2);
  });

  it('keep the usual classes apart', () => {
    expect(new Set(['interactive', 'standard', 'batch'].map((name) => bucketOf(name, 4))).size).toBe(3);
  });
});

describe('predictOutput', () => {
  it('starts from published constants', () => {
    expect(profilerSnapshotSchema.parse(COLD_START_SNAPSHOT)).toEqual(COLD_START_SNAPSHOT);
    const { p50, p90, mean } = predictOutput(COLD_START_SNAPSHOT, request);
    expect(p50).toBeCloseTo(129, 6);
    expect(p90).toBeCloseTo(424, 6);
    expect(mean).toBeCloseTo(211, 6);
  });

  it.each([
    [1, 1, 1],
    [200, 129, 200],
    [4096, 129, 424],
  ])("keeps within the client's limit of %i", (maxTokens, p50, p90) => {
    const prediction = predictOutput(COLD_START_SNAPSHOT, { ...request, maxTokens });
    expect(prediction.p50).toBeCloseTo(p50, 6);
    expect(prediction.p90).toBeCloseTo(p90, 6);
  });

  it('knows no model by the name of a property that all objects have', () => {
    expect(predictOutput(COLD_START_SNAPSHOT, { ...request, model: 'constructor' }).p50).toBeCloseTo(129, 6);
  });
});
