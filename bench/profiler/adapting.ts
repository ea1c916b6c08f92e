/** How soon it learns: from nothing, and after the answers have changed. */
import { mean, quantile } from '../../core/domain/statistics.ts';
import { assess, BATCH, type Example, ExamplePredictor } from '../../core/profiler/evaluate.ts';
import { examplesOf, foldsOf, priorWithout } from './folds.ts';
import type { PromptData } from './prompts.ts';

export interface CurvePoint {
  observations: number;
  /** Over the models: median rank correlation, and median of 1 - error / error of the constant median. */
  spearman: number;
  maeGain: number;
  coverage90: number;
}

/** Answers of all models arrive in random order; after so many each model's answers to unseen prompts are predicted. */
export function learningCurve(data: PromptData, at: readonly number[], seed: number): CurvePoint[] {
  const { train, test } = foldsOf(data.prompts.length, seed)[0]!;
  const models = [...data.outputTokens.keys()];
  const stream = shuffled(
    models.flatMap((model) => examplesOf(data, model, train).map((example) => ({ ...example, model }))),
    seed,
  );
  // Nothing of the judged prompts; of the models one is left out, as nothing better can be done with all of them judged.
  const predictor = new ExamplePredictor({ prior: priorWithout(data, train, models[seed % models.length]!) });
  let seen = 0;
  return at.map((observations) => {
    predictor.learn(stream.slice(seen, observations));
    seen = observations;
    predictor.settle();
    const judged = models.map((model) => {
      const examples = examplesOf(data, model, test).map((example) => ({ ...example, model }));
      const actual = examples.map(({ outputTokens }) => outputTokens);
      const constant = quantile(
        examplesOf(data, model, train).map(({ outputTokens }) => outputTokens),
        0.5,
      );
      const found = assess(
        examples.map((example) => predictor.predict(example)),
        actual,
      );
      return { ...found, maeGain: 1 - found.maeTokens / mean(actual.map((tokens) => Math.abs(tokens - constant))) };
    });
    const median = (of: (point: (typeof judged)[number]) => number) => quantile(judged.map(of), 0.5);
    return {
      observations,
      spearman: median((point) => point.spearman),
      maeGain: median((point) => point.maeGain),
      coverage90: mean(judged.map((point) => point.coverage90)),
    };
  });
}

export interface Shift {
  from: string;
  to: string;
  /** Error on unseen prompts of a predictor that saw only the new answers. */
  maeNewAlone: number;
  /** Of the one that saw the old ones first, at the change. */
  maeAtChange: number;
  /** New answers until its error is within 5 % of the other's, and stays so for the next three looks; null where it never is. */
  observations: number | null;
}

const CLOSE = 1.05;
const LOOKS = 3;

/** One model is served; from one answer to the next it answers like another. */
export function shift(data: PromptData, from: string, to: string, seed: number): Shift {
  const { train, test } = foldsOf(data.prompts.length, seed)[0]!;
  const prior = priorWithout(data, train, to);
  const judged = examplesOf(data, to, test);
  const errorOf = (predictor: ExamplePredictor) =>
    assess(
      judged.map((example) => predictor.predict(example)),
      judged.map(({ outputTokens }) => outputTokens),
    ).maeTokens;
  const alone = new ExamplePredictor({ prior });
  alone.learn(examplesOf(data, to, train));
  alone.settle();
  const maeNewAlone = errorOf(alone);

  const predictor = new ExamplePredictor({ prior });
  predictor.learn(examplesOf(data, from, train));
  const maeAtChange = errorOf(predictor);
  const answers = shuffled(examplesOf(data, to, train), seed);
  let close = 0;
  for (let seen = 0; seen < answers.length; seen += BATCH) {
    predictor.learn(answers.slice(seen, seen + BATCH));
    close = errorOf(predictor) <= CLOSE * maeNewAlone ? close + 1 : 0;
    if (close > LOOKS) return { from, to, maeNewAlone, maeAtChange, observations: seen + BATCH * (1 - LOOKS) };
  }
  return { from, to, maeNewAlone, maeAtChange, observations: null };
}

function shuffled(examples: readonly Example[], seed: number): Example[] {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  return examples
    .map((example) => ({ example, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ example }) => example);
}
