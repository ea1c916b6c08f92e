import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { anObservation } from '../../test/support/observations.ts';
import { learn, type StoredObservation } from './learn.ts';
import { MAX_TOKENS, predictOutput } from './predict.ts';
import { reportScores } from './scores.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot, profilerSnapshotSchema } from './snapshot.ts';

const MODEL = 'llama-3.1-8b';

function observation(id: number, fields: Partial<StoredObservation> = {}): StoredObservation {
  return { id, ...anObservation(`r${id}`, { model: MODEL }), ...fields };
}

/** Park and Miller's generator, and normal deviates by Box and Muller. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

function stream(count: number, fields: (i: number, normal: () => number) => Partial<StoredObservation>, firstId = 1): StoredObservation[] {
  const normal = normals(42 + firstId);
  return Array.from({ length: count }, (_, i) => observation(firstId + i, fields(i, normal)));
}

const lognormal = (median: number, sigma: number, normal: () => number) => Math.max(1, Math.round(median * Math.exp(sigma * normal())));

const ask = (snapshot: ProfilerSnapshot, fields: Partial<StoredObservation> = {}) => predictOutput(snapshot, observation(0, fields));

describe('learn', () => {
  it('finds median, mean and p90 of a lognormal', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      stream(5000, (_, n) => ({ outputTokens: lognormal(300, 0.5, n) })),
    );
    const { p50, p90, mean } = ask(snapshot);
    expect(p50 / 300).toBeGreaterThan(0.9);
    expect(p50 / 300).toBeLessThan(1.1);
    expect(p90 / (300 * Math.exp(0.5 * 1.2816))).toBeGreaterThan(0.85);
    expect(p90 / (300 * Math.exp(0.5 * 1.2816))).toBeLessThan(1.15);
    expect(mean / (300 * Math.exp(0.125))).toBeGreaterThan(0.9);
    expect(mean / (300 * Math.exp(0.125))).toBeLessThan(1.1);
  });

  it('tells classes, tenants and input lengths apart, and beats a constant', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      stream(3000, (i, n) => {
        const inputTokens = i % 2 ? 100 : 4000;
        const batch = i % 3 === 0;
        return {
          inputTokens,
          class: batch ? 'batch' : 'interactive',
          outputTokens: lognormal(80 * (batch ? 4 : 1) * (inputTokens === 100 ? 1 : 2), 0.3, n),
        };
      }),
    );
    expect(ask(snapshot, { class: 'interactive', inputTokens: 100 }).p50).toBeGreaterThan(60);
    expect(ask(snapshot, { class: 'interactive', inputTokens: 100 }).p50).toBeLessThan(105);
    expect(ask(snapshot, { class: 'batch', inputTokens: 4000 }).p50).toBeGreaterThan(500);
    const { all } = reportScores(snapshot);
    expect(all.maeTokens).toBeLessThan(0.5 * all.maeConstantMedianTokens!);
    expect(all.coverage90).toBeGreaterThan(0.87);
    expect(all.coverage90).toBeLessThan(0.94);
  });

  it('keeps p90 covering 90 % after the lengths shift, without being told', () => {
    const before = learn(
      COLD_START_SNAPSHOT,
      stream(3000, (_, n) => ({ outputTokens: lognormal(100, 0.4, n) })),
    ).snapshot;
    const after = learn(
      before,
      stream(3000, (_, n) => ({ outputTokens: lognormal(400, 0.8, n) }), 3001),
    ).snapshot;
    expect(reportScores(after).models[MODEL]!.coverage90).toBeGreaterThan(0.86);
    expect(ask(after).p50).toBeGreaterThan(300);
    expect(ask(after).p50).toBeLessThan(500);
  });

  it('starts a new model from what the others have in common', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      stream(2000, () => ({ outputTokens: 900 })),
    );
    const other = learn(snapshot, [observation(2001, { model: 'other', outputTokens: 880 })]).snapshot;
    expect(ask(other, { model: 'other' }).p50).toBeGreaterThan(800);
    expect(ask(snapshot, { model: 'never-seen' }).p50).toBeGreaterThan(800);
  });

  it('does not let a poisoned tenant spoil the others', () => {
    const mixed = stream(4000, (i, n) =>
      i % 10 === 0
        ? { tenant: 'acme', outputTokens: i % 20 === 0 ? 1 : MAX_TOKENS }
        : { tenant: 'default', outputTokens: lognormal(200, 0.4, n) },
    );
    const { p50, p90 } = ask(learn(COLD_START_SNAPSHOT, mixed).snapshot);
    expect(p50).toBeGreaterThan(150);
    expect(p50).toBeLessThan(260);
    expect(p90).toBeLessThan(600);
  });

  it.each([
    ['random', (n: () => number) => Math.round(4000 + 1500 * n())],
    ['wild', (n: () => number) => lognormal(1000, 4, n)],
    ['always the longest', () => MAX_TOKENS],
    ['one token or the longest', (n: () => number) => (n() > 0 ? MAX_TOKENS : 1)],
  ])('keeps the quantiles of the others where two of three answers are of a tenant whose lengths are %s', (_, length) => {
    const usual = (n: () => number) => ({ tenant: 'default', outputTokens: lognormal(150, 0.3, n) });
    const before = learn(
      COLD_START_SNAPSHOT,
      stream(500, (_i, n) => usual(n)),
    ).snapshot;
    const mixed = stream(3000, (i, n) => (i % 3 === 0 ? usual(n) : { tenant: 'acme', outputTokens: Math.max(1, length(n)) }), 501);
    const { p50, p90 } = ask(learn(before, mixed).snapshot, { tenant: 'default' });
    expect(p50 / 150).toBeGreaterThan(0.85);
    expect(p50 / 150).toBeLessThan(1.15);
    expect(p90 / (150 * Math.exp(0.3 * 1.2816))).toBeGreaterThan(0.8);
    expect(p90 / (150 * Math.exp(0.3 * 1.2816))).toBeLessThan(1.25);
  });

  it('learns that one tenant of three is answered otherwise, and leaves the others', () => {
    const tenants = ['a', 'b', 'c'];
    const answered = (scale: number) => (i: number, n: () => number) => ({
      tenant: tenants[i % 3]!,
      outputTokens: lognormal(i % 3 === 0 ? scale * 150 : 150, 0.3, n),
    });
    const before = learn(COLD_START_SNAPSHOT, stream(1000, answered(1))).snapshot;
    const after = learn(before, stream(750, answered(20), 1001)).snapshot;
    expect(ask(after, { tenant: 'a' }).p50).toBeGreaterThan(2000);
    for (const tenant of ['b', 'c']) expect(ask(after, { tenant }).p50).toBeLessThan(200);
  });

  it('does not hold against a tenant on one model how its answers compared on others', () => {
    const of = (model: string, tenant: string, median: number, firstId: number) =>
      stream(500, (_, n) => ({ model, tenant, outputTokens: lognormal(median, 0.3, n) }), firstId);
    const elsewhere = learn(COLD_START_SNAPSHOT, [...of('short', 'a', 100, 1), ...of('long', 'b', 50_000, 501)]).snapshot;
    const { snapshot } = learn(elsewhere, of('new', 'c', 150, 1001));
    for (const tenant of ['a', 'b', 'c']) expect(ask(snapshot, { model: 'new', tenant }).p50 / 150).toBeLessThan(2.5);
    expect(ask(snapshot, { model: 'new', tenant: 'a' }).p50 / 150).toBeGreaterThan(0.4);
  });

  it('covers each of two tenants, one answered alike every time and one not', () => {
    const mixed = stream(4000, (i, n) =>
      i % 2 === 0 ? { tenant: 'a', outputTokens: lognormal(100, 0.2, n) } : { tenant: 'b', outputTokens: lognormal(300, 1, n) },
    );
    const { snapshot } = learn(COLD_START_SNAPSHOT, mixed);
    expect(ask(snapshot, { tenant: 'a' }).p90 / (100 * Math.exp(0.2 * 1.2816))).toBeLessThan(1.2);
    expect(ask(snapshot, { tenant: 'b' }).p90 / (300 * Math.exp(1.2816))).toBeGreaterThan(0.7);
  });

  it('takes answers cut at max_tokens as the length that they have', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      stream(2000, (_, n) => ({ maxTokens: 64, outputTokens: Math.min(64, lognormal(200, 0.6, n)) })),
    );
    expect(ask(snapshot, { maxTokens: 64 }).p50).toBeGreaterThan(55);
    expect(ask(snapshot, { maxTokens: 64 }).p90).toBe(64);
    expect(ask(snapshot, { maxTokens: null }).p50).toBeGreaterThan(60);
  });

  it('does not raise its quantiles for answers that an engine counts beyond the limit of their client', () => {
    const counted = stream(6000, (i, n) => ({ maxTokens: i % 3 === 0 ? 64 : null, outputTokens: lognormal(200, 0.3, n) }));
    const { p50, p90 } = ask(learn(COLD_START_SNAPSHOT, counted).snapshot, { maxTokens: null });
    expect(p50 / 200).toBeLessThan(1.2);
    expect(p90 / (200 * Math.exp(0.3 * 1.2816))).toBeLessThan(1.3);
  });

  it.each([
    ['an engine that said nothing', { outputTokens: null }, 'unmeasured'],
    ['a failed request', { outcome: 'failed' }, 'unmeasured'],
    ['a shed request', { outcome: 'shed' }, 'unmeasured'],
    ['a negative length', { outputTokens: -4 }, 'absurd'],
    ['an empty answer', { outputTokens: 0 }, 'absurd'],
    ['an impossible length', { outputTokens: 2e9 }, 'absurd'],
    ['an impossible input', { inputTokens: -1 }, 'absurd'],
    ['a limit below 1', { maxTokens: 0 }, 'absurd'],
    ['a request cancelled early', { outcome: 'cancelled', outputTokens: 3 }, 'censored'],
    ['a request cancelled before its first token', { outcome: 'cancelled', outputTokens: 0 }, 'censored'],
  ] as const)('skips %s', (_, fields, reason) => {
    const { snapshot, learned, skipped } = learn(COLD_START_SNAPSHOT, [observation(7, fields)]);
    expect(learned).toBe(0);
    expect(skipped).toEqual({ duplicate: 0, unmeasured: 0, absurd: 0, private: 0, censored: 0, [reason]: 1 });
    expect(snapshot.trainedThroughId).toBe(7);
    expect(ask(snapshot)).toEqual(ask(COLD_START_SNAPSHOT));
  });

  it('counts a cancelled request that is longer than predicted as at least that long', () => {
    const cancelled = stream(200, () => ({ outcome: 'cancelled', outputTokens: 800 }));
    const { snapshot, learned } = learn(COLD_START_SNAPSHOT, cancelled);
    expect(learned).toBeGreaterThan(0);
    expect(ask(snapshot).p50).toBeGreaterThan(ask(COLD_START_SNAPSHOT).p50);
    expect(reportScores(snapshot).all.observations).toBe(0);
  });

  it('learns nothing twice', () => {
    const batch = stream(50, (_, n) => ({ outputTokens: lognormal(50, 0.2, n) }));
    const once = learn(COLD_START_SNAPSHOT, batch);
    const again = learn(once.snapshot, batch);
    expect(again.skipped.duplicate).toBe(50);
    expect(again.snapshot).toEqual(once.snapshot);
    const doubled = learn(COLD_START_SNAPSHOT, [...batch, ...batch.map((o) => ({ ...o, id: o.id + 1000 }))]);
    expect(doubled.learned).toBe(50);
    expect(doubled.snapshot.trainedThroughId).toBe(1050);
  });

  it('goes on from a snapshot that went through JSON as if it had never stopped, and leaves its input alone', () => {
    const batch = stream(300, (i, n) => ({
      outputTokens: lognormal(150, 0.5, n),
      inputTokens: 10 + 37 * i,
      class: i % 2 ? 'batch' : 'standard',
    }));
    const whole = learn(COLD_START_SNAPSHOT, batch).snapshot;
    const half = learn(COLD_START_SNAPSHOT, batch.slice(0, 150)).snapshot;
    const frozen = JSON.stringify(half);
    const resumed = learn(profilerSnapshotSchema.parse(JSON.parse(frozen)), batch.slice(150)).snapshot;
    expect(resumed).toEqual(whole);
    expect(JSON.stringify(half)).toBe(frozen);
    expect(COLD_START_SNAPSHOT.models).toEqual({});
  });

  it('keeps a snapshot of bounded size when models are many', () => {
    const { snapshot } = learn(
      COLD_START_SNAPSHOT,
      stream(600, (i) => ({ model: `m${i}` })),
    );
    expect(Object.keys(snapshot.models)).toHaveLength(200);
    expect(ask(snapshot, { model: 'm599' })).toEqual(ask(snapshot, { model: 'm598' }));
  });

  it('stays finite and valid whatever it is given', () => {
    const anything = fc.record({
      model: fc.constantFrom('a', 'b', 'constructor', '__proto__'),
      class: fc.string(),
      tenant: fc.string(),
      outcome: fc.constantFrom('ok', 'cancelled', 'failed', 'shed'),
      inputTokens: fc.integer({ min: -10, max: 2_000_000 }),
      outputTokens: fc.option(fc.integer({ min: -10, max: 2_000_000 })),
      maxTokens: fc.option(fc.integer({ min: -10, max: 2_000_000_000 })),
      streamed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 200 }), (rows) => {
        const batch = rows.map((row, i) => observation(i + 1, row as Partial<StoredObservation>));
        const { snapshot } = learn(COLD_START_SNAPSHOT, batch);
        expect(profilerSnapshotSchema.safeParse(JSON.parse(JSON.stringify(snapshot))).success).toBe(true);
        for (const row of batch) {
          const { p50, p90, mean } = predictOutput(snapshot, row);
          const cap = row.maxTokens === null ? MAX_TOKENS : Math.max(1, Math.min(MAX_TOKENS, row.maxTokens));
          for (const tokens of [p50, p90, mean]) {
            expect(tokens).toBeGreaterThanOrEqual(1);
            expect(tokens).toBeLessThanOrEqual(cap);
          }
          expect(p90).toBeGreaterThanOrEqual(p50);
        }
      }),
      { numRuns: 60 },
    );
  });
});

const trace = new URL('../../../shared/data/traces/azure2023_conv.csv', import.meta.url);

describe('learn on a production trace', () => {
  beforeEach((context) => context.skip(!existsSync(trace), 'there is no ../shared/data beside this checkout'));
  it('errs 40 % less than a constant median, each answer predicted before it was seen, and covers 90 %', () => {
    const rows = readFileSync(trace, 'utf8').trim().split('\n').slice(1);
    const batch = rows.map((row, i) => {
      const [, inputTokens, outputTokens] = row.split(',').map(Number);
      return observation(i + 1, { inputTokens: inputTokens!, outputTokens: outputTokens!, maxTokens: 1024 });
    });
    const scores = [5000, 10_000, 15_000].map((through) => reportScores(learn(COLD_START_SNAPSHOT, batch.slice(0, through)).snapshot).all);
    for (const { maeTokens, maeConstantMedianTokens, coverage90 } of scores) {
      expect(maeTokens).toBeLessThan(0.6 * maeConstantMedianTokens!);
      expect(coverage90).toBeGreaterThan(0.88);
      expect(coverage90).toBeLessThan(0.92);
    }
  });
});
