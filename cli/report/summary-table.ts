import { groupBy } from '../../core/domain/group-by.ts';
import type { Quantiles, Run } from '../../core/simulator/run.ts';
import { groupsOf, rateText } from './grouping.ts';
import { escapeHtml } from './html.ts';

/** A column: its heading is under that of its group, and what it says is text, under its unit. */
interface Column {
  group: string;
  name: string;
  text(run: Run): string;
  /** Words begin at the left, figures end at the right. */
  words?: true;
}

/** All runs in figures. Those that are compared with one another stand together. */
export function renderSummaryTable(runs: readonly Run[]): string {
  const columns = columnsFor(runs);
  const row = (run: Run) =>
    `<tr>${columns.map((column, i) => cell(i === 0 ? 'th scope="row"' : 'td', column, columns[i - 1], column.text(run))).join('')}</tr>`;
  return `<div class="scroll" tabindex="0" role="region" aria-label="Simulated runs">
<table>
<thead>
<tr>${[...groupBy(columns, ({ group }) => group)].map(groupHeading).join('')}</tr>
<tr>${columns.map((column, i) => cell('th scope="col"', column, columns[i - 1], column.name)).join('')}</tr>
</thead>
${groupsOf(runs)
  .map((group) => `<tbody>\n${group.runs.map((i) => row(runs[i]!)).join('\n')}\n</tbody>`)
  .join('\n')}
</table>
</div>
<p>Attainment is the share of requests that met every target of their class. Goodput counts these per second. Wait is the longest time
between a request's arrival and its release to an engine. Utilisation is the share of the time in which a GPU had a step running. Cost is in
US dollars per thousand requests. All of it is simulated.</p>`;
}

function groupHeading([name, columns]: [string, Column[]], index: number): string {
  return `<th scope="colgroup" colspan="${columns.length}"${index > 0 ? ' class="first"' : ''}>${escapeHtml(name)}</th>`;
}

/** A cell, set off from the one before where another group begins. */
function cell(tag: string, column: Column, before: Column | undefined, text: string): string {
  const classes = [...(column.words ? [] : ['number']), ...(before && before.group !== column.group ? ['first'] : [])];
  const attribute = classes.length > 0 ? ` class="${classes.join(' ')}"` : '';
  return `<${tag}${attribute}>${escapeHtml(text)}</${tag.slice(0, 2)}>`;
}

function columnsFor(runs: readonly Run[]): Column[] {
  const classes = [...new Set(runs.flatMap(({ attainmentByClass }) => Object.keys(attainmentByClass)))];
  const searched = runs.some(({ searchedAttainment }) => searchedAttainment !== undefined);
  return [
    { group: 'Simulated', name: 'policy', text: ({ policy }) => policy, words: true },
    { group: 'Simulated', name: 'predictor', text: ({ predictor }) => predictor, words: true },
    { group: 'Simulated', name: 'rate', text: ({ rateScale }) => rateText(rateScale) },
    ...(searched ? [{ group: 'Simulated', name: 'searched, %', text: (run: Run) => share(run.searchedAttainment) }] : []),
    { group: 'Attainment, %', name: 'all', text: ({ attainment }) => share(attainment) },
    ...classes.map((name) => ({ group: 'Attainment, %', name, text: (run: Run) => share(run.attainmentByClass[name]) })),
    { group: 'Goodput', name: '/s', text: ({ goodputPerSecond }) => figure(goodputPerSecond, 2) },
    ...quantiles('TTFT, ms', ({ ttftMs }) => ttftMs, 1, 0),
    ...quantiles('TPOT, ms', ({ tpotMs }) => tpotMs, 1, 1),
    ...quantiles('End to end, s', ({ e2eMs }) => e2eMs, 1000, 2),
    { group: 'Wait, s', name: 'longest', text: ({ longestWaitSeconds }) => figure(longestWaitSeconds, 1) },
    { group: 'Not served', name: 'shed', text: ({ shed }) => figure(shed, 0) },
    { group: 'Not served', name: 'rejected', text: ({ rejected }) => figure(rejected, 0) },
    { group: 'Utilisation', name: '%', text: ({ gpuUtilisation }) => share(gpuUtilisation) },
    { group: 'Cost, $', name: 'per 1,000', text: ({ costUsdPerThousandRequests: cost }) => figure(cost, 3) },
  ];
}

function quantiles(group: string, of: (run: Run) => Quantiles, unit: number, digits: number): Column[] {
  // 0 is that of no request: nothing takes no time.
  const text = (value: number) => figure(value === 0 ? null : value / unit, digits);
  return (['p50', 'p90', 'p99'] as const).map((name) => ({ group, name, text: (run) => text(of(run)[name]) }));
}

/** Always so many digits, so that the points of a column stand below one another. */
function figure(value: number | null, digits: number): string {
  if (value === null || !Number.isFinite(value)) return NOTHING;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function share(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? NOTHING : (value * 100).toFixed(1);
}

const NOTHING = '–';
