/** The comparison as text, beside what the paper released. */

import type { Spread } from '../support/spread.ts';
import { renderTable } from '../support/table.ts';
import type { Answers } from './answers.ts';
import type { PaperRun } from './run.ts';

export interface Result {
  policy: string;
  batching: string;
  /** What was known of answers' lengths; null where the policy does not look. */
  lengths: string | null;
  engines: number;
  requests: number;
  figures: Record<keyof PaperRun, Spread>;
}

/** Source: the logs that the paper's authors released, ChatGLM2-6B. */
const RELEASED: Record<number, string> = {
  100: 'Released by the paper: UELLM 62-72 s, 0 % missed; S3 267-669 s, 39-56 %; Morphling 225-438 s, 21-52 %.',
  300: 'Released by the paper: UELLM 33-45 % missed.',
};

export function renderResults(results: readonly Result[], engines: number, requests: number): string {
  const these = results.filter((result) => result.engines === engines && result.requests === requests);
  const header = ['policy', 'batching', 'lengths', 'missed %', '(min-max)', 'makespan s', 'mean s', 'p99 s', 'tokens/s', 'useful %'];
  const rows = these.map(({ policy, batching, lengths, figures }) => [
    policy,
    batching,
    lengths ?? '-',
    percent(figures.defaultRate.median),
    `${percent(figures.defaultRate.min)}-${percent(figures.defaultRate.max)}`,
    figures.makespanSeconds.median.toFixed(0),
    figures.meanLatencySeconds.median.toFixed(0),
    figures.p99LatencySeconds.median.toFixed(0),
    figures.tokensPerSecond.median.toFixed(0),
    batching.startsWith('continuous') ? '-' : percent(figures.utilisation.median),
  ]);
  const title = `${requests} requests at once, ${engines} engine${engines === 1 ? '' : 's'}`;
  const released = engines === 1 && RELEASED[requests] ? `\n${RELEASED[requests]}` : '';
  return `${title}\n${renderTable(header, rows, 3)}${released}`;
}

export function renderCaveats({ source }: Answers, model: string, seeds: number): string {
  const lengths =
    source === 'alpaca_eval'
      ? `${model}'s answers to AlpacaEval's prompts, characters / 4.2 as tokens`
      : 'a lognormal fitted to vicuna-7b-v1.5 on AlpacaEval (../shared/data is not there)';
  return [
    `Medians of ${seeds} seeds. Lengths: ${lengths}.`,
    'lengths: none = the median for all; learned = the profiler, 5-fold by prompt, from lengths and words; noisy = drawn around the truth, rank',
    'correlation 0.5-0.6, as a predictor that reads the text reaches on these prompts; oracle = the true ones.',
    'missed: end-to-end SLO; useful: tokens of answers over token slots of the batches that they were padded to.',
    "Unlike the paper's runs, all policies here have the same engines, nothing is truncated, and padding does not count as throughput. The paper gave",
    "S3 four GPUs by a naive layer split (slower there than one), truncated UELLM's answers at their known length + 50, gave it true lengths, counted",
    "Morphling's stress tests into its time, and its answers were shorter (10 batches in 62-72 s): its seconds do not compare with these.",
    'A step takes 27.6 ms whatever the batch, also with 256 slots: for so many that flatters continuous batching.',
  ].join('\n');
}

function percent(share: number): string {
  return (100 * share).toFixed(1).replace(/\.0$/, '');
}
