/** What would be published, had nothing been seen but these prompts. */
import { asPrompt } from '../../core/profiler/evaluate.ts';
import { fitPrior, type TextPrior } from '../../core/profiler/text/prior.ts';
import { createSketcher } from '../../core/profiler/text/sketch.ts';

/** @param outputTokens of each model that counts, to the prompts in their order */
export function priorOf(prompts: readonly string[], outputTokens: readonly (readonly number[])[]): TextPrior {
  // Words are left out of a prior: the key makes no difference.
  const sketcher = createSketcher({ id: '', k0: 0, k1: 0 });
  return fitPrior(
    prompts.map((prompt) => sketcher.sketch(asPrompt(prompt))),
    prompts.map((_, i) => outputTokens.reduce((sum, tokens) => sum + Math.log(tokens[i]!), 0) / outputTokens.length),
  );
}
