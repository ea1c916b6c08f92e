import { describe, expect, it } from 'vitest';
import { deadlinesOf } from './deadlines.ts';

describe('deadlines', () => {
  it.each([
    ['TTFT and TPOT', { ttftMs: 500, tpotMs: 50 }, { firstTokenMs: 1500, endMs: 6500 }],
    ['end to end less the predicted decode', { e2eMs: 10_000 }, { firstTokenMs: 9000, endMs: 11_000 }],
    ['the tighter of both for the first token', { ttftMs: 500, e2eMs: 60_000 }, { firstTokenMs: 1500, endMs: 61_000 }],
    ['a decode longer than the promise', { e2eMs: 1000 }, { firstTokenMs: 1000, endMs: 2000 }],
    ['the longest wait where nothing bounds the first token', { tpotMs: 50 }, { firstTokenMs: 31_000, endMs: 36_000 }],
  ])('%s', (_, targets, expected) => {
    expect(deadlinesOf(targets, 1000, 100, 30_000, 20)).toEqual(expected);
  });
});
