/** The comparison as text. */
import type { Spread } from '../support/spread.ts';
import { renderTable } from '../support/table.ts';
import { OURS, PLAINEST } from './plan.ts';
import { type Bar, type CellSummary, type PolicySummary, percent, times } from './summary.ts';

export function renderCell(cell: CellSummary, targets: readonly number[]): string {
  const header = [
    'policy',
    'seeds',
    ...targets.flatMap((target) => [`rate at ${percent(target)}`, '(min-max)']),
    'worst tenth',
    'wait s',
    'by class',
  ];
  const rows = cell.policies.map((summary) => [summary.policy, String(summary.seeds), ...rateCells(summary), ...fairness(summary)]);
  const ratios = targets
    .map(
      (target, t) =>
        `${percent(target)}: ${ratioText(cell.overPlainest[t]!)} ${PLAINEST}, ${ratioText(cell.overBest[t]!)} ${cell.best[t] ?? '-'}`,
    )
    .join('; ');
  const hasOurs = cell.policies.some(({ policy }) => policy === OURS);
  return `${cell.cell}\n${renderTable(header, rows)}${hasOurs ? `\n${OURS} at ${ratios}` : ''}`;
}

export function rateCells({ rates }: PolicySummary): string[] {
  return rates.flatMap((rate) => [rateText(rate.median), rangeText(rate)]);
}

function fairness({ worstDecile, longestWaitSeconds, attainmentByClass }: PolicySummary): string[] {
  const classes = attainmentByClass[0] ? Object.entries(attainmentByClass[0]).map(([name, share]) => `${name} ${percent(share)}`) : [];
  return [worstDecile === null ? '-' : worstDecile.toFixed(2), longestWaitSeconds.toFixed(0), classes.join(', ')];
}

/** Over the cells: how much more ours sustains than the plainest and than the best other. */
export function renderOverview(cells: readonly CellSummary[], targets: readonly number[]): string {
  const header = [
    'cell',
    ...targets.flatMap((t) => [`/ plainest ${percent(t)}`, `/ best ${percent(t)}`, 'best other']),
    'worst tenth',
    'wait s',
  ];
  const rows = cells.map((cell) => {
    const ours = cell.policies.find(({ policy }) => policy === OURS);
    const ratios = targets.flatMap((_, t) => [ratioText(cell.overPlainest[t]!), ratioText(cell.overBest[t]!), cell.best[t] ?? '-']);
    return [cell.cell, ...ratios, ...(ours ? fairness(ours).slice(0, 2) : ['-', '-'])];
  });
  return `${OURS}, rate over that of ${PLAINEST} and of the best other\n${renderTable(header, rows)}`;
}

export function renderBars(all: readonly Bar[]): string {
  const verdict = ({ reached }: Bar) => (reached === null ? 'UNKNOWN' : reached ? 'REACHED' : 'NOT REACHED');
  return all.map((bar) => `${verdict(bar).padEnd(11)}  ${bar.aim}: ${bar.figure}`).join('\n');
}

export function renderNotes(notes: readonly string[]): string {
  return notes.map((note) => `note: ${note}`).join('\n');
}

export function rateText(rate: number): string {
  return rate === 0 ? 'none' : String(Number(rate.toPrecision(3)));
}

function rangeText({ min, max }: Spread): string {
  return min === max ? '' : `(${rateText(min)}-${rateText(max)})`;
}

function ratioText(value: number | null): string {
  return value === null ? '-' : times(value);
}
