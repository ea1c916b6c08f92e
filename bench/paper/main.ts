/**
 * `npm run bench:paper`: the UELLM paper's experiment again, with its policies and ours on equal terms. Prints tables and writes every
 * figure to bench/results/paper.json.
 *
 *   --seeds <n>    12 where absent
 *   --model <name> of ../shared/data/prompts/alpaca_eval
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameFlag, readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { spreadOf } from '../support/spread.ts';
import { type Answers, loadAnswers, MODEL } from './answers.ts';
import { LENGTHS, type Lengths, type Predicted, predictAnswers } from './predictions.ts';
import { type Result, renderCaveats, renderResults } from './report.ts';
import { ROWS, type Row } from './rows.ts';
import { type PaperRun, runPaper } from './run.ts';
import { REQUESTS } from './scenario.ts';

const SETTINGS = [...REQUESTS.map((requests) => ({ engines: 1, requests })), { engines: 4, requests: 300 }];

function main(): void {
  const values = readFlags({ seeds: { type: 'string', default: '12' }, model: { type: 'string', default: MODEL } });
  const seeds = wholeNumberFlag('--seeds', values.seeds, 1, 1000);
  const answers = loadAnswers(join(process.cwd(), '..', 'shared'));
  const model = nameFlag('--model', values.model, [...answers.byModel.keys()]);
  const predictions = new Map(LENGTHS.map((lengths) => [lengths, predictAnswers(answers, model, lengths)]));
  const results: Result[] = [];
  for (const { engines, requests } of SETTINGS) {
    for (const row of ROWS) results.push(measure(row, answers, model, predictions, { engines, requests, seeds }));
    console.log(`${renderResults(results, engines, requests)}\n`);
  }
  console.log(renderCaveats(answers, model, seeds));
  const folder = join(process.cwd(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'paper.json'), `${JSON.stringify({ model, source: answers.source, seeds, results }, null, 2)}\n`);
  console.log('\nEvery figure with its spread: bench/results/paper.json');
}

function measure(
  row: Row,
  answers: Answers,
  model: string,
  predictions: ReadonlyMap<Lengths, readonly Predicted[]>,
  { engines, requests, seeds }: { engines: number; requests: number; seeds: number },
): Result {
  const runs = Array.from({ length: seeds }, (_, i) =>
    runPaper({
      policy: row.policy,
      replicas: row.engines(engines),
      answers: answers.byModel.get(model)!,
      predictions: predictions.get(row.lengths)!,
      requests,
      seed: i + 1,
    }),
  );
  const spread = (of: keyof PaperRun) => spreadOf(runs.map((run) => run[of]));
  return {
    policy: row.label,
    batching: row.batching,
    lengths: row.usesLengths ? row.lengths : null,
    engines,
    requests,
    figures: {
      defaultRate: spread('defaultRate'),
      makespanSeconds: spread('makespanSeconds'),
      meanLatencySeconds: spread('meanLatencySeconds'),
      p99LatencySeconds: spread('p99LatencySeconds'),
      tokensPerSecond: spread('tokensPerSecond'),
      utilisation: spread('utilisation'),
    },
  };
}

await runBench(main);
