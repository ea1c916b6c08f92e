import { describe, expect, it } from 'vitest';
import { type Duel, judge, NO_DUEL, reasonOf, resultOf } from './duel.ts';
import { learn, type StoredObservation } from './learn.ts';
import { predictOutput } from './predict.ts';
import { recalibrate } from './recalibrate.ts';
import { COLD_START_SNAPSHOT, type ProfilerSnapshot } from './snapshot.ts';

let ids = 0;
const answer = (outputTokens: number, more: Partial<StoredObservation> = {}): StoredObservation => ({
  id: ++ids,
  requestId: `r${ids}`,
  model: 'm',
  class: 'standard',
  tenant: 'default',
  inputTokens: 500,
  maxTokens: null,
  streamed: true,
  outcome: 'ok',
  outputTokens,
  ...more,
});
/** So many answers about a length. */
const answers = (count: number, outputTokens: number) =>
  Array.from({ length: count }, (_, i) => answer(Math.round(outputTokens * (0.8 + 0.1 * (i % 5)))));

/** Knows that answers have about 100 tokens. */
const CHAMPION = learn(COLD_START_SNAPSHOT, answers(400, 100)).snapshot;
const times = (factor: number): ProfilerSnapshot => recalibrate(CHAMPION, { model: 'm', class: null, factor });

/** As the trainer goes on: what is predicted first is learned from afterwards. */
function trained(champion: ProfilerSnapshot, batches: readonly (readonly StoredObservation[])[]): Duel {
  let challenger = champion;
  let duel = NO_DUEL;
  for (const batch of batches) {
    duel = judge(duel, champion, challenger, batch);
    challenger = learn(challenger, batch).snapshot;
  }
  return duel;
}

describe('judging', () => {
  it('is a tie between a snapshot and itself', () => {
    const { answers: count, championLoss, challengerLoss } = judge(NO_DUEL, CHAMPION, CHAMPION, answers(30, 100));
    expect(count).toBe(30);
    expect(challengerLoss).toBe(championLoss);
    expect(championLoss).toBeGreaterThan(0);
  });

  it('adds up pinball losses in ln(tokens) at p50 and p90', () => {
    const observation = answer(100);
    const { p50, p90 } = predictOutput(COLD_START_SNAPSHOT, observation);
    const above = judge(NO_DUEL, COLD_START_SNAPSHOT, COLD_START_SNAPSHOT, [answer(10_000)]);
    expect(above.championLoss).toBeCloseTo(0.5 * Math.log(10_000 / p50) + 0.9 * Math.log(10_000 / p90));
    const below = judge(above, COLD_START_SNAPSHOT, COLD_START_SNAPSHOT, [answer(10)]);
    expect(below.answers).toBe(2);
    expect(below.championLoss - above.championLoss).toBeCloseTo(0.5 * Math.log(p50 / 10) + 0.1 * Math.log(p90 / 10));
  });

  it('prefers whoever is nearer, in both directions', () => {
    for (const factor of [0.2, 0.5, 2, 50]) {
      const duel = judge(NO_DUEL, CHAMPION, times(factor), answers(30, 100));
      expect(duel.challengerLoss).toBeGreaterThan(1.2 * duel.championLoss);
      const turned = judge(NO_DUEL, CHAMPION, times(factor), answers(30, 100 * factor));
      expect(turned.challengerLoss).toBeLessThan(turned.championLoss);
    }
  });

  it('leaves out what nothing is learned from, and answers that the client cut off', () => {
    const batch = [
      answer(100, { outcome: 'failed' }),
      answer(100, { outcome: 'shed' }),
      answer(100, { outcome: 'cancelled' }),
      answer(100, { outputTokens: null }),
      answer(0),
      answer(2_000_000),
      answer(100, { featureKey: 'off' }),
    ];
    expect(judge(NO_DUEL, CHAMPION, times(50), batch)).toEqual(NO_DUEL);
  });

  it('leaves a duel as it was', () => {
    const before = judge(NO_DUEL, CHAMPION, times(2), answers(5, 100));
    const copy = { ...before };
    judge(before, CHAMPION, times(2), answers(5, 100));
    expect(before).toEqual(copy);
    expect(NO_DUEL).toEqual({ answers: 0, championLoss: 0, challengerLoss: 0 });
  });
});

describe('the result', () => {
  it.each([
    ['nothing to compare', 0, 0, 'publish'],
    ['too few answers to tell, however bad', 15, 50, 'publish'],
    ['as good', 16, 1, 'publish'],
    ['better', 1000, 0.5, 'publish'],
    ['worse by what chance explains', 1000, 1.01, 'publish'],
    ['worse', 16, 1.02, 'keep-champion'],
    ['much worse, on too few answers to throw it away', 199, 50, 'keep-champion'],
    ['somewhat worse for long', 1000, 1.1, 'keep-champion'],
    ['clearly worse for long', 200, 1.11, 'start-over'],
  ])('of a challenger that has %s', (_, count, ratio, expected) => {
    expect(resultOf({ answers: count, championLoss: 100, challengerLoss: 100 * ratio })).toBe(expected);
  });

  it('says by how much, where anything was compared', () => {
    expect(reasonOf(NO_DUEL, 7)).toBe('learned');
    expect(reasonOf({ answers: 15, championLoss: 10, challengerLoss: 9 }, 7)).toBe('learned');
    expect(reasonOf({ answers: 50, championLoss: 10, challengerLoss: 9 }, 7)).toBe("learned: loss 10.0 % below version 7's on 50 answers");
    expect(reasonOf({ answers: 50, championLoss: 100, challengerLoss: 100.5 }, 7)).toMatch(/loss 0.5 % above version 7's/);
  });
});

describe('a challenger in training', () => {
  const inSixteens = (of: readonly StoredObservation[]) =>
    Array.from({ length: Math.ceil(of.length / 16) }, (_, i) => of.slice(16 * i, 16 * i + 16));

  it('is refused after a burst of absurd answers that did not last', () => {
    expect(resultOf(trained(CHAMPION, inSixteens([...answers(32, 5000), ...answers(64, 100)])))).toBe('keep-champion');
  });

  it('is thrown away where the usual answers after it go on to show it wrong', () => {
    const young = learn(COLD_START_SNAPSHOT, answers(60, 100)).snapshot;
    expect(resultOf(trained(young, inSixteens([...answers(32, 5000), ...answers(268, 100)])))).toBe('start-over');
  });

  it('is published where answers have really become longer', () => {
    const duel = trained(CHAMPION, inSixteens(answers(160, 5000)));
    expect(resultOf(duel)).toBe('publish');
    expect(duel.challengerLoss).toBeLessThan(0.5 * duel.championLoss);
  });

  it('is published where nothing has changed', () => {
    expect(resultOf(trained(CHAMPION, inSixteens(answers(320, 100))))).toBe('publish');
  });
});
