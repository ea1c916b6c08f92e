/** Five folds by prompt, and what may be known in each: nothing of the prompts that are judged. */
import { asPrompt, type Example } from '../../core/profiler/evaluate.ts';
import { fitPrior, type TextPrior } from '../../core/profiler/text/prior.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import { createRandom } from '../../core/simulator/random.ts';
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

/** Mean over the models, without one of them, of ln(output tokens). */
export function meanLogs({ outputTokens }: PromptData, indexes: readonly number[], without: string | null): number[] {
  const others = [...outputTokens].filter(([model]) => model !== without).map(([, tokens]) => tokens);
  return indexes.map((i) => others.reduce((sum, tokens) => sum + Math.log(tokens[i]!), 0) / others.length);
}

/** What would be shipped, had neither the judged prompts nor the judged model been seen. */
export function priorWithout(data: PromptData, train: readonly number[], model: string): TextPrior {
  const sketcher = createSketcher({ id: '', k0: 0, k1: 0 });
  return fitPrior(
    train.map((i) => sketcher.sketch(asPrompt(data.prompts[i]!))),
    meanLogs(data, train, model),
  );
}
