/** The tables of `npm run bench:profiler`. */
import { type Spread, spreadOf } from '../support/spread.ts';
import { renderTable } from '../support/table.ts';
import type { CurvePoint, Shift } from './adapting.ts';
import type { ClassCoverage } from './classes.ts';
import type { PredictionTimes } from './speed.ts';
import type { StorageResult } from './storage.ts';

export interface ModelResult {
  model: string;
  spearman: Spread;
  maeTokens: Spread;
  maeConstantMedianTokens: Spread;
  /** 1 - error / error of the constant median. */
  maeGain: Spread;
  coverage90: Spread;
  baselines: Record<string, { spearman: Spread; maeGain: Spread }>;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const median = (values: readonly number[]) => spreadOf(values).median;

export function renderModels(models: readonly ModelResult[]): string {
  const rows = models.map(({ model, spearman, maeTokens, maeGain, coverage90, baselines }) => [
    model,
    `${spearman.median.toFixed(3)} (${spearman.min.toFixed(3)}-${spearman.max.toFixed(3)})`,
    maeTokens.median.toFixed(0),
    percent(maeGain.median),
    percent(coverage90.median),
    ...Object.values(baselines).map((baseline) => `${baseline.spearman.median.toFixed(2)} / ${percent(baseline.maeGain.median)}`),
  ]);
  const names = Object.keys(models[0]!.baselines);
  const medians = [
    'median',
    median(models.map((m) => m.spearman.median)).toFixed(3),
    '',
    percent(median(models.map((m) => m.maeGain.median))),
    percent(median(models.map((m) => m.coverage90.median))),
    ...names.map((name) => {
      const of = models.map((m) => m.baselines[name]!);
      return `${median(of.map((b) => b.spearman.median)).toFixed(2)} / ${percent(median(of.map((b) => b.maeGain.median)))}`;
    }),
  ];
  const header = ['model', 'rank correlation', 'error, tokens', 'less than constant', 'within p90', ...names];
  return `Unseen prompts, five folds, one model at a time; baselines as rank correlation / error less than the constant median's
${renderTable(header, [...rows, medians])}`;
}

export function renderCurve(points: readonly CurvePoint[]): string {
  const rows = points.map((p) => [String(p.observations), p.spearman.toFixed(3), percent(p.maeGain), percent(p.coverage90)]);
  return `After so many answers of all models together, on unseen prompts
${renderTable(['answers', 'rank correlation', 'error less than constant', 'within p90'], rows, 0)}`;
}

export function renderShifts(shifts: readonly Shift[]): string {
  const pairs = [...new Set(shifts.map(({ from, to }) => `${from} -> ${to}`))];
  const rows = pairs.map((pair) => {
    const of = shifts.filter(({ from, to }) => `${from} -> ${to}` === pair);
    const observations = of.map((s) => s.observations ?? Number.POSITIVE_INFINITY);
    const told = (value: number) => (Number.isFinite(value) ? String(value) : 'never');
    return [
      pair,
      median(of.map((s) => s.maeAtChange)).toFixed(0),
      median(of.map((s) => s.maeNewAlone)).toFixed(0),
      `${told(median(observations))} (${told(Math.min(...observations))}-${told(Math.max(...observations))})`,
    ];
  });
  return `One model's answers turn into another's: answers until the error is within 5 % of having learned from the new ones alone
${renderTable(['change', 'error at it, tokens', 'new alone', 'answers'], rows)}`;
}

export function renderClasses(classes: readonly ClassCoverage[]): string {
  const names = [...new Set(classes.map((c) => c.class))];
  const rows = [...new Set(classes.map((c) => c.model))].map((model) => {
    const of = classes.filter((c) => c.model === model);
    return [model, ...names.map((name) => percent(of.find((c) => c.class === name)!.coverage90)), percent(coverageOf(of))];
  });
  const bottom = [
    'all',
    ...names.map((name) => percent(coverageOf(classes.filter((c) => c.class === name)))),
    percent(coverageOf(classes)),
  ];
  return `Within p90 by model and class, one profiler for the traffic of all, about ${classes[0]!.requests} unseen prompts each
${renderTable(['model', ...names, 'all'], [...rows, bottom])}`;
}

const coverageOf = (classes: readonly ClassCoverage[]) =>
  classes.reduce((sum, c) => sum + c.coverage90 * c.requests, 0) / classes.reduce((sum, c) => sum + c.requests, 0);

export function renderTimes(times: readonly PredictionTimes[]): string {
  const rows = times.map(({ what, p50, p99 }) => [what, p50.toFixed(1), p99.toFixed(1)]);
  return `Time of a prediction, microseconds
${renderTable(['', 'p50', 'p99'], rows)}`;
}

export function renderStorage({ training, ...figures }: StorageResult): string {
  const figure = (value: number) => value.toFixed(1);
  return `Observations in Postgres
${renderTable(
  ['', ''],
  Object.entries(figures).map(([name, value]) => [name, figure(value)]),
)}

Training from nothing, by rows in the table
${renderTable(
  ['rows', 'trained', 'read s', 'CPU s', 's', 'snapshots', 'MiB'],
  training.map((t) => [
    String(t.rows),
    String(t.trainedRows),
    figure(t.readSeconds),
    figure(t.cpuSeconds),
    figure(t.seconds),
    String(t.snapshotsPublished),
    figure(t.memoryMiB),
  ]),
)}`;
}

/** What is aimed at, and what was reached. */
export function renderAims(models: readonly ModelResult[], classes: readonly ClassCoverage[], times: readonly PredictionTimes[]): string {
  const ranks = models.map((m) => m.spearman.median);
  const gains = models.map((m) => m.maeGain.median);
  const coverage = models.reduce((sum, m) => sum + m.coverage90.median, 0) / models.length;
  const [withText, byLengths] = times;
  const aims: [boolean, string][] = [
    [median(ranks) >= 0.52, `rank correlation of at least 0.52 as the median over models: ${median(ranks).toFixed(3)}`],
    [Math.min(...ranks) >= 0.4, `and of at least 0.40 for each: ${Math.min(...ranks).toFixed(3)}`],
    [median(gains) >= 0.12, `error at least 12 % below the constant median's, as the median: ${percent(median(gains))}`],
    [Math.min(...gains) >= 0.07, `and at least 7 % for each: ${percent(Math.min(...gains))}`],
    [coverage >= 0.88 && coverage <= 0.92, `88-92 % within the p90, pooled: ${percent(coverage)}`],
    [
      classes.every((c) => Math.abs(c.coverage90 - 0.9) <= 0.04),
      `86-94 % for each model and class: ${classes.filter((c) => Math.abs(c.coverage90 - 0.9) <= 0.04).length} of ${classes.length}, ${percent(Math.min(...classes.map((c) => c.coverage90)))} to ${percent(Math.max(...classes.map((c) => c.coverage90)))}`,
    ],
    [withText!.p50 <= 50 && withText!.p99 <= 300, `50 us at p50 and 300 at p99: ${withText!.p50.toFixed(1)}, ${withText!.p99.toFixed(1)}`],
    [byLengths!.p50 <= 5, `by lengths alone 5 us: ${byLengths!.p50.toFixed(1)}`],
  ];
  return aims.map(([reached, text]) => `${reached ? 'REACHED    ' : 'NOT REACHED'}  ${text}`).join('\n');
}
