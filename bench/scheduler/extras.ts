/** What parts of `uellm` bring and cost, and what wrong pictures of the engines do to it: variants beside the default, on a few cells. */
import type { UellmOptions } from '../../core/scheduler/uellm/options.ts';
import type { PredictorName } from '../../core/simulator/predictors.ts';
import { type Cell, cellNamed } from './cells.ts';
import { OURS, type Size, searchTask, seedsUpTo } from './plan.ts';
import type { Task } from './task.ts';

export interface Variant {
  told: string;
  changes?: Partial<UellmOptions>;
  predictor?: PredictorName;
  disturbance?: Task['disturbance'];
}

export interface Group {
  name: 'bounds' | 'ablations' | 'memory' | 'predictors' | 'robustness';
  title: string;
  cells: readonly string[];
  variants: readonly Variant[];
}

/** Engines are told from afar: gauges are old, and tokens are heard of late. */
const LATE = { engineStateAgeMs: 1000, streamDelayMs: 1000 };

export const GROUPS: readonly Group[] = [
  {
    name: 'bounds',
    title: 'What the fairness bounds cost',
    // Where they bind: long prompts are dear to these fleets.
    cells: ['chat/70b/fixed', 'chat/kv/fixed', 'mooncake/kv/fixed', 'reasoning/mixed/fixed'],
    variants: [
      { told: 'no length is spared', changes: { lengthFairness: 0 } },
      { told: 'ageing only when nobody else waits', changes: { agedShare: 0 } },
      { told: 'neither bound', changes: { lengthFairness: 0, agedShare: 0 } },
    ],
  },
  {
    name: 'ablations',
    title: 'What the parts bring',
    cells: ['chat/h4/fixed', 'chat/mixed/fixed', 'mooncake/mixed/scaled', 'summarise/mixed/fixed'],
    variants: [
      { told: 'no fit to unlike engines', changes: { costWeight: 0 } },
      { told: 'no complementarity', changes: { disturbanceWeight: 0 } },
      { told: 'neither', changes: { costWeight: 0, disturbanceWeight: 0 } },
      { told: 'demotes only the hopeless', changes: { demotesAhead: false } },
      { told: 'keeps no replica for looser targets', changes: { tierGain: 0 } },
      { told: 'no TPOT gate', changes: { tpotMargin: 10 } },
      { told: 'binds at once', changes: { promptsPerStep: 1000 } },
    ],
  },
  {
    name: 'memory',
    title: 'How much of the remaining answer KV cache is kept for',
    cells: ['reasoning/kv/fixed'],
    variants: [0.02, 0.3, 0.5, 0.9].map((memoryQuantile) => ({ told: `quantile ${memoryQuantile}`, changes: { memoryQuantile } })),
  },
  {
    name: 'predictors',
    title: 'What knowing lengths brings',
    cells: ['chat/kv/fixed', 'reasoning/kv/fixed', 'summarise/mixed/fixed'],
    variants: [
      { told: 'mean of the class', predictor: 'class-mean' },
      { told: 'true lengths', predictor: 'oracle' },
    ],
  },
  {
    name: 'robustness',
    title: 'Wrong and late pictures of the engines',
    cells: ['chat/mixed/fixed', 'mooncake/h4/fixed'],
    variants: [
      { told: 'step times believed 0.7 of the truth', disturbance: { modelFactor: 0.7 } },
      { told: 'step times believed 1.4 of the truth', disturbance: { modelFactor: 1.4 } },
      { told: 'gauges and streams 1 s late', disturbance: LATE },
    ],
  },
];

export interface ExtrasChoice {
  size: Size;
  seeds: number;
  targets: readonly number[];
  /** All where null. */
  cells: readonly Cell[] | null;
}

export function cellsOf(group: Group, { cells }: ExtrasChoice): string[] {
  return group.cells.filter((name) => !cells || cells.some((cell) => cell.name === name));
}

export function defaultTask(cell: string, seed: number, { size, targets }: ExtrasChoice): Task {
  return searchTask(cellNamed(cell), { policy: OURS, seed, targets }, size);
}

/** @param atRate where the variant is to be run besides: what the default sustains */
export function variantTask(cell: string, seed: number, variant: Variant, { size, targets }: ExtrasChoice, atRate: number | null): Task {
  const { changes = {}, predictor = 'learned', disturbance = {} } = variant;
  return searchTask(cellNamed(cell), { policy: OURS, seed, targets, changes, predictor, disturbance, atRate }, size);
}

/** The default on every cell, and all variants but those of `robustness`, which are run at rates that the default has to find first. */
export function planExtras(choice: ExtrasChoice): Task[] {
  const all = GROUPS.flatMap((group) => cellsOf(group, choice).map((cell) => ({ group, cell })));
  return seedsUpTo(choice.seeds).flatMap((seed) => [
    ...[...new Set(all.map(({ cell }) => cell))].map((cell) => defaultTask(cell, seed, choice)),
    ...all
      .filter(({ group }) => group.name !== 'robustness')
      .flatMap(({ group, cell }) => group.variants.map((variant) => variantTask(cell, seed, variant, choice, null))),
  ]);
}

/** @param sustained the largest rate of a task at the lowest target; null where there is none */
export function planRobustness(choice: ExtrasChoice, sustained: (task: Task) => number | null): Task[] {
  const group = GROUPS.find(({ name }) => name === 'robustness')!;
  return seedsUpTo(choice.seeds).flatMap((seed) =>
    cellsOf(group, choice).flatMap((cell) =>
      group.variants.map((variant) => variantTask(cell, seed, variant, choice, sustained(defaultTask(cell, seed, choice)))),
    ),
  );
}
