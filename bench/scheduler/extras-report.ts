/** The variants of `uellm` beside its default, as text and as data. */
import { renderTable } from '../support/table.ts';
import { cellsOf, defaultTask, type ExtrasChoice, GROUPS, type Group, type Variant, variantTask } from './extras.ts';
import { seedsUpTo } from './plan.ts';
import { rateCells } from './report.ts';
import { type PolicySummary, percent, summarisePolicy } from './summary.ts';
import type { Task, TaskResult } from './task.ts';

export interface VariantSummary {
  group: Group['name'];
  cell: string;
  told: string;
  summary: PolicySummary;
  /** By target, its rate over the default's; null where neither has one. */
  overDefault: (number | null)[];
  /** Mean over seeds of its attainment where the default attains the lowest target; of `robustness` only. */
  attainmentAtDefaults: number | null;
}

export function summariseExtras(choice: ExtrasChoice, resultOf: (task: Task) => TaskResult | undefined): VariantSummary[] {
  const seeds = seedsUpTo(choice.seeds);
  const results = (tasks: readonly Task[]) => tasks.flatMap((task) => resultOf(task) ?? []);
  return GROUPS.flatMap((group) =>
    cellsOf(group, choice).flatMap((cell) => {
      const defaults = results(seeds.map((seed) => defaultTask(cell, seed, choice)));
      if (defaults.length === 0) return [];
      const base = summarisePolicy('default', defaults, choice.targets);
      const own = (variant: Variant) =>
        results(
          seeds.map((seed, i) => {
            const atRate = group.name === 'robustness' ? sustainedBy(defaults[i]) : null;
            return variantTask(cell, seed, variant, choice, atRate);
          }),
        );
      const rows = group.variants.map((variant) => ({ told: variant.told, of: own(variant) })).filter(({ of }) => of.length > 0);
      return [{ told: 'default', of: defaults }, ...rows].map(({ told, of }): VariantSummary => {
        const summary = summarisePolicy(told, of, choice.targets);
        const at = of.flatMap(({ atRate }) => (atRate ? [atRate.attainment] : []));
        return {
          group: group.name,
          cell,
          told,
          summary,
          overDefault: summary.rates.map(({ median }, t) => (base.rates[t]!.median === 0 ? null : median / base.rates[t]!.median)),
          attainmentAtDefaults: at.length === 0 ? null : at.reduce((a, b) => a + b, 0) / at.length,
        };
      });
    }),
  );
}

/** The largest rate at the lowest target. */
export function sustainedBy(result: TaskResult | undefined): number | null {
  return result?.found[0]?.run?.rateScale ?? null;
}

export function renderExtras(variants: readonly VariantSummary[], targets: readonly number[]): string {
  return GROUPS.flatMap((group) => {
    const own = variants.filter((variant) => variant.group === group.name);
    if (own.length === 0) return [];
    const isRobustness = group.name === 'robustness';
    const header = [
      'cell',
      'uellm',
      ...targets.flatMap((target) => [`rate at ${percent(target)}`, '(min-max)', 'change']),
      'worst tenth',
      'wait s',
      ...(isRobustness ? [`attains at the default's rate`] : []),
    ];
    const rows = own.map(({ cell, told, summary, overDefault, attainmentAtDefaults }) => [
      cell,
      told,
      ...targets.flatMap((_, t) => [...rateCells(summary).slice(2 * t, 2 * t + 2), told === 'default' ? '' : change(overDefault[t]!)]),
      summary.worstDecile === null ? '-' : summary.worstDecile.toFixed(2),
      summary.longestWaitSeconds.toFixed(0),
      ...(isRobustness ? [attainmentAtDefaults === null ? '' : percent(attainmentAtDefaults)] : []),
    ]);
    return [`${group.title}\n${renderTable(header, rows, 2)}`];
  }).join('\n\n');
}

function change(over: number | null): string {
  if (over === null) return '-';
  const points = 100 * (over - 1);
  return `${points >= 0 ? '+' : ''}${points.toFixed(1)} %`;
}
