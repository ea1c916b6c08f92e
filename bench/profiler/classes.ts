/**
 * Is the p90 right for each model and class, where one profiler learns from the traffic of all? Classes are thirds of the prompts by length,
 * so that what one class asks differs from what another does.
 */
import { mean, quantile } from '../../core/domain/statistics.ts';
import { type Example, ExamplePredictor } from '../../core/profiler/evaluate.ts';
import { createRandom } from '../../core/simulator/random.ts';
import { priorOf } from '../support/prior.ts';
import { foldsOf } from './folds.ts';
import type { PromptData } from './prompts.ts';

export interface ClassCoverage {
  model: string;
  class: string;
  requests: number;
  /** Share of the answers to unseen prompts that were no longer than their p90. */
  coverage90: number;
}

const CLASSES = ['short', 'medium', 'long'] as const;

/** All folds of one division, by model and class. */
export function classCoverage(data: PromptData, seed: number): ClassCoverage[] {
  const lengths = data.prompts.map((prompt) => prompt.length);
  const limits = [quantile(lengths, 1 / 3), quantile(lengths, 2 / 3)];
  const classOf = (i: number) => CLASSES[limits.filter((limit) => lengths[i]! > limit).length]!;
  const models = [...data.outputTokens.keys()];
  const examplesOf = (indexes: readonly number[]): Example[] =>
    models.flatMap((model) =>
      indexes.map((i) => ({ instruction: data.prompts[i]!, outputTokens: data.outputTokens.get(model)![i]!, model, class: classOf(i) })),
    );
  const within = new Map<string, number[]>();
  for (const { train, test } of foldsOf(data.prompts.length, seed)) {
    const prior = priorOf(
      train.map((i) => data.prompts[i]!),
      models.map((model) => train.map((i) => data.outputTokens.get(model)![i]!)),
    );
    const predictor = new ExamplePredictor({ prior });
    predictor.learn(shuffled(examplesOf(train), `classes ${seed}`));
    predictor.settle();
    for (const example of examplesOf(test)) {
      const key = `${example.model} ${example.class}`;
      within.set(key, [...(within.get(key) ?? []), example.outputTokens <= predictor.predict(example).p90 ? 1 : 0]);
    }
  }
  return models.flatMap((model) =>
    CLASSES.map((name) => {
      const all = within.get(`${model} ${name}`)!;
      return { model, class: name, requests: all.length, coverage90: mean(all) };
    }),
  );
}

function shuffled<T>(items: readonly T[], seed: string): T[] {
  const random = createRandom(seed);
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
