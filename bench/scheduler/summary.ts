/** From results to what is compared: medians over seeds, ratios, and the bars of the issue. */
import { type Spread, spreadOf } from '../support/spread.ts';
import { OURS, PLAINEST } from './plan.ts';
import { AGEING_SECONDS } from './slos.ts';
import type { Task, TaskResult } from './task.ts';

export interface Outcome {
  task: Task;
  result: TaskResult;
}

export interface PolicySummary {
  policy: string;
  seeds: number;
  /** By target: the largest rate scale, 0 where no rate attains. */
  rates: Spread[];
  /** By target: of the seed whose rate is the median (the lower one of two); null where it has none. */
  attainmentByClass: (Record<string, number> | null)[];
  /** At the lowest target: the tenth of input lengths that fares worst over all, the least of the seeds; null where no rate attains. */
  worstDecile: number | null;
  /** At whichever target. */
  longestWaitSeconds: number;
}

export interface CellSummary {
  cell: string;
  policies: PolicySummary[];
  /** By target; null without both, or where neither attains at any rate. Infinite where only ours does. */
  overPlainest: (number | null)[];
  overBest: (number | null)[];
  /** By target: the best but ours. */
  best: (string | null)[];
}

export function summariseCells(outcomes: readonly Outcome[], targets: readonly number[]): CellSummary[] {
  const cells = [...new Set(outcomes.map(({ task }) => task.cell))];
  return cells.map((cell) => {
    const own = outcomes.filter(({ task }) => task.cell === cell);
    const policies = [...new Set(own.map(({ task }) => task.policy))].map((policy) =>
      summarisePolicy(
        policy,
        own.filter(({ task }) => task.policy === policy).map(({ result }) => result),
        targets,
      ),
    );
    const rate = (name: string | null, t: number) => policies.find(({ policy }) => policy === name)?.rates[t]?.median ?? null;
    const best = targets.map((_, t) => bestBut(OURS, policies, t));
    return {
      cell,
      policies,
      best,
      overPlainest: targets.map((_, t) => ratio(rate(OURS, t), rate(PLAINEST, t))),
      overBest: targets.map((_, t) => ratio(rate(OURS, t), rate(best[t]!, t))),
    };
  });
}

export function summarisePolicy(policy: string, results: readonly TaskResult[], targets: readonly number[]): PolicySummary {
  const runs = targets.map((target) => results.map(({ found }) => found.find((f) => f.target === target)?.run ?? null));
  const deciles = (runs[0] ?? []).flatMap((run) => (run ? [Math.min(...run.attainmentByInputDecile) / run.attainment] : []));
  return {
    policy,
    seeds: results.length,
    rates: runs.map((of) => spreadOf(of.map((run) => run?.rateScale ?? 0))),
    attainmentByClass: runs.map((of) => {
      const byRate = [...of].sort((a, b) => (a?.rateScale ?? 0) - (b?.rateScale ?? 0));
      return byRate[(byRate.length - 1) >> 1]?.attainmentByClass ?? null;
    }),
    worstDecile: deciles.length > 0 ? Math.min(...deciles) : null,
    longestWaitSeconds: Math.max(0, ...runs.flat().map((run) => run?.longestWaitSeconds ?? 0)),
  };
}

function bestBut(policy: string, policies: readonly PolicySummary[], target: number): string | null {
  const others = policies.filter((p) => p.policy !== policy);
  const best = others.reduce<PolicySummary | null>((b, p) => (b && b.rates[target]!.median >= p.rates[target]!.median ? b : p), null);
  return best?.policy ?? null;
}

function ratio(ours: number | null, theirs: number | null): number | null {
  if (ours === null || theirs === null || (ours === 0 && theirs === 0)) return null;
  return ours / theirs;
}

/** Whoever has aged is released when an engine has room next, not at once. */
const WAIT_SLACK = 1.05;

/** One of the issue's aims. */
export interface Bar {
  aim: string;
  /** null where nothing was measured. */
  reached: boolean | null;
  figure: string;
}

export function bars(cells: readonly CellSummary[], targets: readonly number[]): Bar[] {
  const [at90, at99] = [targets.indexOf(0.9), targets.indexOf(0.99)];
  const ratios = (of: 'overPlainest' | 'overBest', t: number) =>
    cells.flatMap((cell) => {
      const value = cell[of][t];
      return value === null || value === undefined ? [] : [{ cell: cell.cell, value }];
    });
  return [
    ...(at90 < 0
      ? []
      : [
          medianBar(`at 90 %: median of at least 1.8x ${PLAINEST}`, ratios('overPlainest', at90), 1.8),
          medianBar('at 90 %: median of at least 1.15x the best other', ratios('overBest', at90), 1.15),
        ]),
    ...(at99 < 0 ? [] : [medianBar(`at 99 %: median of at least 1.2x ${PLAINEST}`, ratios('overPlainest', at99), 1.2)]),
    neverBelow(targets.flatMap((target, t) => ratios('overBest', t).map((r) => ({ ...r, cell: `${r.cell} at ${percent(target)}` })))),
    decileBar(cells),
    waitBar(cells),
  ];
}

interface Measured {
  cell: string;
  value: number;
}

function medianBar(aim: string, measured: readonly Measured[], least: number): Bar {
  if (measured.length === 0) return { aim, reached: null, figure: 'not measured' };
  const { median, min, max } = spreadOf(measured.map(({ value }) => value));
  const counts = `${measured.length} cells, ${times(min)} to ${times(max)}`;
  return { aim, reached: median >= least, figure: `${times(median)} (${counts})` };
}

function neverBelow(measured: readonly Measured[]): Bar {
  const aim = 'never more than 2 % below the best other';
  if (measured.length === 0) return { aim, reached: null, figure: 'not measured' };
  const below = measured.filter(({ value }) => value < 0.98).sort((a, b) => a.value - b.value);
  const least = Math.min(...measured.map(({ value }) => value));
  const names = below.map(({ cell, value }) => `${cell} ${times(value)}`).join(', ');
  return {
    aim,
    reached: below.length === 0,
    figure: `least ${times(least)}; below in ${below.length} of ${measured.length}${names && `: ${names}`}`,
  };
}

function decileBar(cells: readonly CellSummary[]): Bar {
  const aim = "no tenth of input lengths below 0.6 of the overall attainment at the lowest target's rate";
  const measured = oursIn(cells).flatMap(({ cell, ours }) => (ours.worstDecile === null ? [] : [{ cell, value: ours.worstDecile }]));
  if (measured.length === 0) return { aim, reached: null, figure: 'not measured' };
  const worst = measured.reduce((a, b) => (b.value < a.value ? b : a));
  const below = measured.filter(({ value }) => value < 0.6).length;
  return {
    aim,
    reached: below === 0,
    figure: `least ${worst.value.toFixed(2)} (${worst.cell}); below in ${below} of ${measured.length} cells`,
  };
}

function waitBar(cells: readonly CellSummary[]): Bar {
  const bound = AGEING_SECONDS * WAIT_SLACK;
  const aim = `no wait beyond ${bound} s: ${AGEING_SECONDS} s until a request comes before everyone, and time to be released`;
  const measured = oursIn(cells).map(({ cell, ours }) => ({ cell, value: ours.longestWaitSeconds }));
  if (measured.length === 0) return { aim, reached: null, figure: 'not measured' };
  const worst = measured.reduce((a, b) => (b.value > a.value ? b : a));
  const beyond = measured.filter(({ value }) => value > bound).length;
  return {
    aim,
    reached: beyond === 0,
    figure: `longest ${worst.value.toFixed(0)} s (${worst.cell}); beyond in ${beyond} of ${measured.length} cells`,
  };
}

function oursIn(cells: readonly CellSummary[]): { cell: string; ours: PolicySummary }[] {
  return cells.flatMap(({ cell, policies }) => {
    const ours = policies.find(({ policy }) => policy === OURS);
    return ours ? [{ cell, ours }] : [];
  });
}

export function times(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}x` : 'infinite';
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`;
}
