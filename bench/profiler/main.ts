/**
 * `npm run bench:profiler`: how well answers' lengths are predicted on prompts that were not seen, beside simpler ways; how soon it learns;
 * how long a prediction takes; and what a million observations cost Postgres. Prints tables and writes bench/results/profiler.json.
 *
 *   --seeds <n>      divisions into folds, 3 where absent
 *   --rows <n>       observations for the storage part, 1,000,000 where absent; 0 leaves it out
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mean } from '../../core/domain/statistics.ts';
import { assess, type Evaluation, type Example, ExamplePredictor, evaluate } from '../../core/profiler/evaluate.ts';
import { COLD_START_SNAPSHOT } from '../../core/profiler/snapshot.ts';
import { readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { spreadOf } from '../support/spread.ts';
import { learningCurve, shift } from './adapting.ts';
import { type Baseline, constantMedian, fiveBuckets, inputLengthRegression } from './baselines.ts';
import { type ClassCoverage, classCoverage } from './classes.ts';
import { examplesOf, foldsOf, priorWithout } from './folds.ts';
import { loadPrompts, type PromptData } from './prompts.ts';
import {
  type ModelResult,
  renderAims,
  renderClasses,
  renderCurve,
  renderModels,
  renderShifts,
  renderStorage,
  renderTimes,
} from './report.ts';
import { predictionTimes } from './speed.ts';
import type { StorageResult } from './storage.ts';

const CURVE = [0, 100, 500, 2000];
/** From short answers to long ones, back, and between models that are alike. */
const SHIFTS = [
  ['gemma-7b-it', 'Yi-34B-Chat'],
  ['Yi-34B-Chat', 'gemma-7b-it'],
  ['vicuna-7b-v1.5', 'Meta-Llama-3.1-70B-Instruct-Turbo'],
  ['Qwen1.5-7B-Chat', 'Mixtral-8x7B-Instruct-v0.1'],
] as const;

async function main(): Promise<void> {
  const values = readFlags({ seeds: { type: 'string', default: '3' }, rows: { type: 'string', default: '1000000' } });
  const seeds = wholeNumberFlag('--seeds', values.seeds, 1, 100);
  const rows = wholeNumberFlag('--rows', values.rows, 0, 100_000_000);
  const times = predictionTimes(COLD_START_SNAPSHOT);
  console.log(`${renderTimes(times)}\n`);
  const data = loadPrompts(join(process.cwd(), '..', 'shared', 'data'));
  const found = data ? measurePrompts(data, seeds) : null;
  if (!found) console.log('../shared/data/prompts is not there: how good predictions are was not measured\n');
  const storage = rows > 0 ? await measureStored(rows) : null;
  if (found) console.log(renderAims(found.models, found.classes, times));
  const folder = join(process.cwd(), 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'profiler.json'), `${JSON.stringify({ seeds, times, ...found, storage }, null, 2)}\n`);
  console.log('\nEvery figure: bench/results/profiler.json');
}

function measurePrompts(data: PromptData, seeds: number) {
  const seedNumbers = Array.from({ length: seeds }, (_, i) => i + 1);
  const models = [...data.outputTokens.keys()].map((model) => measureModel(data, model, seedNumbers));
  console.log(`${renderModels(models)}\n`);
  const curves = seedNumbers.map((seed) => learningCurve(data, CURVE, seed));
  const curve = CURVE.map((observations, i) => {
    const points = curves.map((points) => points[i]!);
    return { ...averageOf(points, ['spearman', 'maeGain', 'coverage90']), observations };
  });
  console.log(`${renderCurve(curve)}\n`);
  const shifts = SHIFTS.flatMap(([from, to]) => seedNumbers.map((seed) => shift(data, from, to, seed)));
  console.log(`${renderShifts(shifts)}\n`);
  const classes = classesOf(seedNumbers.map((seed) => classCoverage(data, seed)));
  console.log(`${renderClasses(classes)}\n`);
  return { models, curve, shifts, classes };
}

/** The same model and class of each division: the mean over the divisions. */
function classesOf(runs: readonly ClassCoverage[][]): ClassCoverage[] {
  return runs[0]!.map((first, i) => ({ ...first, coverage90: mean(runs.map((run) => run[i]!.coverage90)) }));
}

function measureModel(data: PromptData, model: string, seeds: readonly number[]): ModelResult {
  const runs = seeds.map((seed) => {
    const folds = foldsOf(data.prompts.length, seed).map(({ train, test }) => {
      const prior = priorWithout(data, train, model);
      const split = [examplesOf(data, model, train), examplesOf(data, model, test)] as const;
      const nowMicros = () => performance.now() * 1000;
      return {
        ours: evaluate({ train: split[0], test: split[1], online: false, prior, nowMicros }),
        lengthsOnly: lengthsOnly(...split),
        constant: constantMedian(...split),
        regression: inputLengthRegression(...split),
        buckets: fiveBuckets(...split, prior),
      };
    });
    const ours = averageOf<Evaluation>(
      folds.map((fold) => fold.ours),
      ['spearman', 'maeTokens', 'coverage90'],
    );
    const baseline = (of: (fold: (typeof folds)[number]) => Baseline) => averageOf<Baseline>(folds.map(of), ['spearman', 'maeTokens']);
    return {
      ours,
      lengthsOnly: baseline((fold) => fold.lengthsOnly),
      constant: baseline((fold) => fold.constant),
      regression: baseline((fold) => fold.regression),
      buckets: baseline((fold) => fold.buckets),
    };
  });
  const gain = (of: (run: (typeof runs)[number]) => { maeTokens: number }) =>
    spreadOf(runs.map((run) => 1 - of(run).maeTokens / run.constant.maeTokens));
  const rank = (of: (run: (typeof runs)[number]) => { spearman: number }) => spreadOf(runs.map((run) => of(run).spearman));
  return {
    model,
    maeTokens: spreadOf(runs.map((run) => run.ours.maeTokens)),
    maeConstantMedianTokens: spreadOf(runs.map((run) => run.constant.maeTokens)),
    coverage90: spreadOf(runs.map((run) => run.ours.coverage90)),
    spearman: rank((run) => run.ours),
    maeGain: gain((run) => run.ours),
    baselines: {
      'lengths only': { spearman: rank((run) => run.lengthsOnly), maeGain: gain((run) => run.lengthsOnly) },
      'input length': { spearman: rank((run) => run.regression), maeGain: gain((run) => run.regression) },
      'five buckets': { spearman: rank((run) => run.buckets), maeGain: gain((run) => run.buckets) },
    },
  };
}

function lengthsOnly(train: readonly Example[], test: readonly Example[]): Baseline {
  const predictor = new ExamplePredictor({ text: false });
  predictor.learn(train);
  const predicted = test.map((example) => predictor.predict(example));
  return assess(
    predicted,
    test.map(({ outputTokens }) => outputTokens),
  );
}

function averageOf<T>(values: readonly T[], names: readonly (keyof T)[]): Record<string, number> & T {
  return Object.fromEntries(names.map((name) => [name, mean(values.map((value) => value[name] as number))])) as Record<string, number> & T;
}

async function measureStored(rows: number): Promise<StorageResult> {
  const { measureStorage } = await import('./storage.ts');
  const storage = await measureStorage(rows);
  console.log(`${renderStorage(storage)}\n`);
  return storage;
}

await runBench(main);
