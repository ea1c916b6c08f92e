/** Five folds by prompt, and what may be known in each: nothing of the prompts that are judged. */
import type { Example } from '../../core/profiler/evaluate.ts';
import type { TextPrior } from '../../core/profiler/text/prior.ts';
import { createRandom } from '../../core/simulator/random.ts';
import { priorOf } from '../support/prior.ts';
import type { PromptData } from './prompts.ts';

export const FOLDS = 5;

export interface Fold {
  /** Indexes of prompts. */
  train: number[];
  test: number[];
}

export function foldsOf(prompts: number, seed: number): Fold[] {
  const random = createRandom(`profiler folds ${seed}`);
  const order = Array.from({ length: prompts }, (_, i) => ({ i, at: random() })).sort((a, b) => a.at - b.at);
  return Array.from({ length: FOLDS }, (_, fold) => ({
    train: order.filter((_, k) => k % FOLDS !== fold).map(({ i }) => i),
    test: order.filter((_, k) => k % FOLDS === fold).map(({ i }) => i),
  }));
}

export function examplesOf({ prompts, outputTokens }: PromptData, model: string, indexes: readonly number[]): Example[] {
  const tokens = outputTokens.get(model)!;
  return indexes.map((i) => ({ instruction: prompts[i]!, outputTokens: tokens[i]! }));
}

/** What would be shipped, had neither the judged prompts nor the judged model been seen. */
export function priorWithout({ prompts, outputTokens }: PromptData, train: readonly number[], model: string): TextPrior {
  const others = [...outputTokens].filter(([name]) => name !== model);
  return priorOf(
    train.map((i) => prompts[i]!),
    others.map(([, tokens]) => train.map((i) => tokens[i]!)),
  );
}
