import { describe, expect, it } from 'vitest';
import { createRandom, lognormal } from '../simulator/random.ts';
import { asPrompt, assess, type Example, ExamplePredictor, evaluate } from './evaluate.ts';
import type { StoredObservation } from './learn.ts';
import { predictOutput } from './predict.ts';
import { COLD_START_SNAPSHOT, profilerSnapshotSchema } from './snapshot.ts';
import { createSketcher } from './text/sketch.ts';
import { Training } from './training.ts';

const NOUNS = ['river', 'engine', 'garden', 'comet', 'ledger', 'harbour', 'violin', 'canyon', 'market', 'glacier'];
/** What is asked for decides how long the answer is; which noun it is about does not. */
const ASKED: [string, number][] = [
  ['Zorble the', 60],
  ['Frandle about the', 600],
];

/** Prompts in words that no prior has heard of. */
function examples(count: number, seed: number, scale = 1): Example[] {
  const random = createRandom(`examples ${seed}`);
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!;
  return Array.from({ length: count }, () => {
    const [what, tokens] = pick(ASKED);
    const instruction = `${what} ${pick(NOUNS)} beside the ${pick(NOUNS)}`;
    return { instruction, outputTokens: Math.max(1, Math.round(lognormal(random, tokens * scale, 0.3))) };
  });
}

const sketcher = createSketcher({ id: 'k', k0: 1, k1: 2 });
const observation = (example: Example, id: number, more: Partial<StoredObservation> = {}): StoredObservation => ({
  id,
  requestId: `r${id}`,
  model: 'm',
  class: 'standard',
  tenant: 'default',
  inputTokens: 12,
  maxTokens: null,
  streamed: true,
  outcome: 'ok',
  outputTokens: example.outputTokens,
  text: sketcher.sketch(asPrompt(example.instruction)),
  ...more,
});

describe('training', () => {
  it('learns what words ask for', () => {
    const train = examples(300, 1);
    const test = examples(200, 2);
    const found = evaluate({ train, test, online: false, nowMicros: () => 0 });
    expect(found.spearman).toBeGreaterThan(0.7);
    expect(found.maeTokens).toBeLessThan(0.4 * found.maeConstantMedianTokens);
    expect(found.coverage90).toBeGreaterThan(0.86);
    expect(found.coverage90).toBeLessThan(0.99);
  });

  it('goes on learning while it is judged, where that is asked for', () => {
    const [train, test] = [examples(200, 1), examples(400, 2, 4)];
    const frozen = evaluate({ train, test, online: false, nowMicros: () => 0 });
    const online = evaluate({ train, test, online: true, nowMicros: () => 0 });
    expect(online.maeTokens).toBeLessThan(0.75 * frozen.maeTokens);
  });

  it('has a snapshot that says the same after a journey through JSON', () => {
    const training = new Training(COLD_START_SNAPSHOT);
    training.observe(examples(100, 3).map((example, i) => observation(example, i + 1)));
    const back = profilerSnapshotSchema.parse(JSON.parse(JSON.stringify(training.snapshot)));
    const asked = observation(examples(1, 4)[0]!, 1);
    expect(predictOutput(back, asked)).toEqual(predictOutput(training.snapshot, asked));
    expect(back.models.m!.text!.keyId).toBe('k');
  });

  it('does not mix words of two keys', () => {
    const training = new Training(COLD_START_SNAPSHOT);
    const rows = examples(120, 5);
    training.observe(rows.map((example, i) => observation(example, i + 1)));
    const other = createSketcher({ id: 'rotated', k0: 5, k1: 6 });
    const sketched = (example: Example) => ({ text: other.sketch(asPrompt(example.instruction)) });
    // What the old key taught is not read with the new one's buckets.
    const [short, long] = ['Zorble the river', 'Frandle about the river'].map((instruction) =>
      predictOutput(training.snapshot, observation({ instruction, outputTokens: 1 }, 1, sketched({ instruction, outputTokens: 1 }))),
    );
    expect(long!.p50 / short!.p50).toBeLessThan(2);
    training.observe(rows.map((example, i) => observation(example, 1000 + i, sketched(example))));
    expect(training.snapshot.models.m!.text!.keyId).toBe('rotated');
    // A gateway that has not read the new key yet does not empty the window again.
    training.observe(rows.slice(0, 40).map((example, i) => observation(example, 2000 + i)));
    expect(training.snapshot.models.m!.text!.keyId).toBe('rotated');
  });

  it('keeps to its key when a few answers in an old one come late, before it knew of it and after', () => {
    const training = new Training(COLD_START_SNAPSHOT);
    const rows = examples(300, 12);
    const old = createSketcher({ id: 'old', k0: 5, k1: 6 });
    const inOld = (example: Example) => ({ text: old.sketch(asPrompt(example.instruction)) });
    training.observe(rows.slice(0, 100).map((example, i) => observation(example, i + 1)));
    training.observe(rows.slice(100, 140).map((example, i) => observation(example, 101 + i, inOld(example))));
    training.observe(rows.slice(140).map((example, i) => observation(example, 141 + i)));
    expect(training.snapshot.models.m!.text!.keyId).toBe('k');
    const [short, long] = ['Zorble the river', 'Frandle about the river'].map((instruction) =>
      predictOutput(training.snapshot, observation({ instruction, outputTokens: 1 }, 1)),
    );
    expect(long!.p50 / short!.p50).toBeGreaterThan(4);
  });

  it('notices that a model answers otherwise, and is right again soon', () => {
    const predictor = new ExamplePredictor();
    predictor.learn(examples(400, 6));
    predictor.learn(examples(150, 7, 5));
    const test = examples(200, 8, 5);
    const predicted = test.map((example) => predictor.predict(example));
    const actual = test.map(({ outputTokens }) => outputTokens);
    const fresh = new ExamplePredictor();
    fresh.learn(examples(550, 9, 5));
    const best = assess(
      test.map((example) => fresh.predict(example)),
      actual,
    );
    expect(assess(predicted, actual).maeTokens).toBeLessThan(1.3 * best.maeTokens);
  });

  it('does not let a tenant of random lengths spoil what the others taught', () => {
    const random = createRandom('poison');
    const poisoned = examples(600, 10).map((example, i) =>
      i % 3 === 0
        ? observation({ ...example, outputTokens: 1 + Math.floor(random() * 8000) }, i + 1, { tenant: 'acme' })
        : observation(example, i + 1),
    );
    const clean = poisoned.filter(({ tenant }) => tenant !== 'acme');
    const errorAfter = (observations: StoredObservation[]) => {
      const training = new Training(COLD_START_SNAPSHOT);
      for (let i = 0; i < observations.length; i += 16) training.observe(observations.slice(i, i + 16));
      training.settle();
      const test = examples(200, 11);
      return assess(
        test.map((example) => predictOutput(training.snapshot, observation(example, 1))),
        test.map(({ outputTokens }) => outputTokens),
      ).maeTokens;
    };
    expect(errorAfter(poisoned)).toBeLessThan(1.25 * errorAfter(clean));
  });
});
