import { describe, expect, it } from 'vitest';
import { attained, meanTpotMs, violations } from './record.ts';
import { type Ended, Stats } from './stats.ts';

const ended = (parts: Partial<Ended> = {}): Ended => ({
  deployment: 'd',
  class: 'interactive',
  outcome: 'ok',
  attained: true,
  outputTokens: 10,
  ...parts,
});

describe('live stats', () => {
  it('count since the start, and the last minute as it passes', () => {
    const stats = new Stats();
    stats.add(ended(), 1000);
    stats.add(ended({ attained: false }), 30_000);
    stats.add(ended({ outcome: 'cancelled', attained: null }), 31_000);
    stats.add(ended({ outcome: 'shed', attained: false, class: 'batch' }), 31_500);
    expect(stats.classes('d', 32_000)).toEqual([
      expect.objectContaining({ class: 'batch', requests: 1, shed: 1 }),
      {
        class: 'interactive',
        requests: 3,
        ok: 2,
        failed: 0,
        shed: 0,
        cancelled: 1,
        lastMinute: { requestsPerSecond: 3 / 60, outputTokensPerSecond: 0.5, attainment: 0.5 },
      },
    ]);
    expect(stats.classes('d', 61_000).at(1)?.lastMinute.attainment).toBe(0);
    expect(stats.classes('d', 200_000).at(1)?.lastMinute.attainment).toBeNull();
    expect(stats.classes('unknown', 0)).toEqual([]);
  });

  it('bound the classes that clients can make up', () => {
    const stats = new Stats();
    for (let i = 0; i < 1500; i++) stats.add(ended({ class: `c${i}` }), 0);
    const classes = stats.classes('d', 0);
    expect(classes).toHaveLength(1001);
    expect(classes.find((c) => c.class === 'other')?.requests).toBe(500);
  });
});

describe('the verdict on an answer', () => {
  const targets = { ttftMs: 500, tpotMs: 50, e2eMs: 30_000, attainment: 0.99 };
  const streamed = { streamed: true, ttftMs: 400, tpotMs: 40, e2eMs: 5000, outputTokens: 100 };

  it('holds a stream to each target', () => {
    expect(violations(targets, streamed)).toEqual([]);
    expect(violations(targets, { ...streamed, ttftMs: 501, tpotMs: 51 })).toEqual(['ttft', 'tpot']);
    expect(violations(targets, { ...streamed, ttftMs: null, e2eMs: 600 })).toEqual(['ttft']);
  });
  it('holds a whole answer to the time at which such a stream would have ended', () => {
    const whole = { streamed: false, ttftMs: null, tpotMs: null, e2eMs: 5400, outputTokens: 100 };
    expect(violations(targets, whole)).toEqual([]);
    expect(violations(targets, { ...whole, e2eMs: 5451 })).toEqual(['e2e']);
    expect(violations({ ttftMs: 500, attainment: 0.9 }, { ...whole, e2eMs: 60_000 })).toEqual([]);
  });
  it('counts what failed or was shed as missed, and what was cancelled not at all', () => {
    expect(attained('ok', [])).toBe(true);
    expect(attained('ok', ['ttft'])).toBe(false);
    expect(attained('failed', [])).toBe(false);
    expect(attained('shed', [])).toBe(false);
    expect(attained('cancelled', ['e2e'])).toBeNull();
  });
  it('means TPOT over the tokens after the first', () => {
    expect(meanTpotMs(100, 1100, 101)).toBe(10);
    expect(meanTpotMs(100, 100, 1)).toBeNull();
    expect(meanTpotMs(null, 100, 10)).toBeNull();
  });
});
