/**
 * Writes core/profiler/text/published-prior.ts: what a prompt's numbers and cues tell of the length of its answer, on average over models.
 *
 *   npm run build && node dist/bench/profiler/publish-prior.js && npx biome format --write core/profiler/text/published-prior.ts
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { priorOf } from '../support/prior.ts';
import { loadPrompts } from './prompts.ts';

const found = loadPrompts(join(process.cwd(), '..', 'shared', 'data'));
if (!found) throw new Error('../shared/data/prompts is not there: nothing to fit to');
const prior = priorOf(found.prompts, [...found.outputTokens.values()]);
const numbers = (values: readonly number[]) => `[${values.map((value) => Number(value.toPrecision(4))).join(', ')}]`;
writeFileSync(
  join(process.cwd(), 'core', 'profiler', 'text', 'published-prior.ts'),
  `/**
 * Fitted by bench/profiler/publish-prior.ts to the lengths of ${found.outputTokens.size} models' answers to ${found.prompts.length} prompts
 * (tatsu-lab/alpaca_eval, Apache-2.0), tokens by cl100k. Of the features that those prompts do not show (turn, temperature, ...) it says nothing.
 */
import type { TextPrior } from './prior.ts';

export const PUBLISHED_PRIOR: TextPrior = {
  mean: ${numbers(prior.mean)},
  deviation: ${numbers(prior.deviation)},
  weights: ${numbers(prior.weights)},
};
`,
);
