import { describe, expect, it } from 'vitest';
import { DENSE_FEATURES } from './text/sketch.ts';
import { type TrainingRow, TrainingWindow } from './training-window.ts';

const text = { keyId: 'k', dense: new Float32Array(DENSE_FEATURES), buckets: new Uint16Array() };
const row = (model: string, i: number): TrainingRow => ({
  ...{ requestId: `${model}-${i}`, model, class: 'chat', tenant: 't', inputTokens: 100, maxTokens: null, streamed: true },
  ...{ outputTokens: i + 1, text },
});
const filled = (models: number, each: number) => {
  const window = new TrainingWindow();
  for (let i = 0; i < each; i++) for (let m = 0; m < models; m++) window.add(row(`m${m}`, i));
  return window;
};
const held = (window: TrainingWindow, models: number) =>
  Array.from({ length: models }, (_, m) => window.rows(`m${m}`).length).reduce((a, b) => a + b, 0);

describe('the window of training', () => {
  it('holds no more after many answers than after some thousand: half the newest, half of all before', () => {
    const window = filled(1, 30_000);
    const lengths = window.rows('m0').map(({ outputTokens }) => outputTokens);
    expect(lengths).toHaveLength(4096);
    expect(lengths.slice(2048)).toEqual(Array.from({ length: 2048 }, (_, i) => 27_953 + i));
    const old = lengths.slice(0, 2048);
    expect(new Set(old).size).toBe(2048);
    for (const quarter of [0, 1, 2, 3]) {
      const inQuarter = old.filter((length) => Math.floor((length - 1) / (27_952 / 4)) === quarter).length;
      expect(inQuarter).toBeGreaterThan(400);
      expect(inQuarter).toBeLessThan(630);
    }
  });

  it('holds no more of many models than of a dozen, as many of each', () => {
    const window = filled(100, 600);
    expect(held(window, 100)).toBeLessThanOrEqual(49_152);
    expect(window.rows('m0').length).toBe(window.rows('m99').length);
    expect(window.rows('m0').at(-1)!.outputTokens).toBe(600);
  });

  it('gives room to a model that comes late, and keeps what is newest of the others', () => {
    const window = filled(24, 2100);
    const before = held(window, 24);
    for (let i = 0; i < 2100; i++) window.add(row('late', i));
    expect(window.rows('late').length).toBeGreaterThan(1900);
    expect(held(window, 24) + window.rows('late').length).toBeLessThanOrEqual(Math.max(before, 49_152));
    expect(window.rows('m3').at(-1)!.outputTokens).toBe(2100);
  });

  it('fits what all have in common to so many of each, newest and old, and when a quarter is new', () => {
    const window = filled(10, 4000);
    const common = window.commonRows();
    expect(common.length).toBeLessThanOrEqual(16_384);
    expect(new Set(common.map(({ model }) => model)).size).toBe(10);
    expect(common.filter(({ model }) => model === 'm7')).toHaveLength(1638);
    const few = filled(2, 20);
    expect(few.commonRows()).toHaveLength(40);
    expect(few.isCommonDue).toBe(true);
    few.commonFitted(40);
    for (let i = 0; i < 15; i++) few.add(row('m0', i));
    expect(few.isCommonDue).toBe(false);
    few.add(row('m0', 15));
    expect(few.isCommonDue).toBe(true);
  });
});
