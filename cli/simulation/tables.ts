/** Runs as tables for people: one line a run, the columns that matter most first, as many as the terminal has room for. */

import { counted } from '../../core/domain/counted.ts';
import type { Quantiles, Run } from '../../core/simulator/run.ts';
import type { Tone } from '../output/colour.ts';
import { ms, NONE, percent } from '../output/figures.ts';
import { type Cell, type Row, renderTable, type TableStyle } from '../output/table.ts';
import { rateText } from '../report/grouping.ts';
import type { Unreachable } from './run-all.ts';

interface Column {
  title: string;
  cell(run: Run): string | Cell;
}

export function runTables(runs: readonly Run[], unreachable: readonly Unreachable[], style: TableStyle): string {
  const names = nameColumns(runs);
  const tables =
    runs.length > 0 ? [tableOf([...names, ...FIGURES], runs, style), tableOf([...names, ...classColumns(runs)], runs, style)] : [];
  const lines = unreachable.map((target) => `${unreachableText(target)}\n`);
  return [...tables, ...(lines.length > 0 ? [lines.join('')] : [])].join('\n');
}

export function unreachableText({ policy, predictor, seed, attainment, bestAttainment }: Unreachable): string {
  const who = [policy, ...(predictor === 'learned' ? [] : [predictor]), `seed ${seed}`].join(', ');
  return `${who}: no rate attains ${percent(attainment)}; the most at any was ${percent(bestAttainment)}`;
}

/** What tells runs apart. */
function nameColumns(runs: readonly Run[]): Column[] {
  const several = (of: (run: Run) => unknown) => new Set(runs.map(of)).size > 1;
  return [
    { title: 'POLICY', cell: ({ policy }) => policy },
    ...(several(({ predictor }) => predictor) ? [{ title: 'PREDICTOR', cell: ({ predictor }: Run) => predictor }] : []),
    ...(several(({ seed }) => seed) ? [{ title: 'SEED', cell: ({ seed }: Run) => String(seed) }] : []),
    ...(runs.some(({ searchedAttainment }) => searchedAttainment !== undefined)
      ? [{ title: 'TARGET', cell: ({ searchedAttainment }: Run) => percent(searchedAttainment ?? null) }]
      : []),
    { title: 'RATE', cell: ({ rateScale }) => rateText(rateScale) },
  ];
}

const FIGURES: Column[] = [
  { title: 'ATTAINED', cell: ({ attainment }) => attained(attainment) },
  { title: 'GOODPUT/S', cell: ({ goodputPerSecond }) => goodputPerSecond.toFixed(2) },
  ...latency('TTFT', ({ ttftMs }) => ttftMs),
  ...latency('TPOT', ({ tpotMs }) => tpotMs),
  { title: 'SHED', cell: ({ shed }) => String(shed) },
  { title: 'REJECTED', cell: ({ rejected }) => String(rejected) },
  { title: 'BUSY', cell: ({ gpuUtilisation }) => `${Math.round(gpuUtilisation * 100)} %` },
  { title: '$/1000', cell: ({ costUsdPerThousandRequests: cost }) => (cost === null ? NONE : cost.toFixed(3)) },
  { title: 'LONGEST WAIT', cell: ({ longestWaitSeconds }) => ms(longestWaitSeconds * 1000) },
  ...latency('E2E', ({ e2eMs }) => e2eMs),
  { title: 'PREEMPTED', cell: ({ preemptions }) => String(preemptions) },
  { title: 'REQUESTS', cell: ({ requests }) => String(requests) },
  { title: 'SECONDS', cell: ({ durationSeconds }) => durationSeconds.toFixed(0) },
];

function latency(title: string, of: (run: Run) => Quantiles): Column[] {
  // 0 is that of no request: nothing takes no time.
  return (['p50', 'p99'] as const).map((quantile) => ({ title: `${title} ${quantile}`, cell: (run) => ms(of(run)[quantile] || null) }));
}

function classColumns(runs: readonly Run[]): Column[] {
  const classes = [...new Set(runs.flatMap(({ attainmentByClass }) => Object.keys(attainmentByClass)))];
  return [
    { title: 'WORST TENTH BY INPUT', cell: worstTenth },
    ...classes.map((name) => ({ title: name, cell: ({ attainmentByClass }: Run) => attained(attainmentByClass[name] ?? null) })),
  ];
}

/** The tenth of the requests, by input length, that attains least, and how long its inputs are. */
function worstTenth({ attainmentByInputDecile: tenths, inputDecileTokens: tokens }: Run): string {
  const worst = tenths.indexOf(Math.min(...tenths));
  const from = worst === 0 ? 'up' : tokens[worst - 1]!;
  return `${percent(tenths[worst]!)} (${from} to ${tokens[worst]} tokens)`;
}

function attained(share: number | null): Cell {
  const tone: Tone = share === null ? 'dim' : share >= 0.99 ? 'good' : share >= 0.9 ? 'busy' : 'bad';
  return { text: percent(share), tone };
}

/** Leaves out what the line has no room for, from the right, rather than cut figures to pieces. */
function tableOf(columns: readonly Column[], runs: readonly Run[], style: TableStyle): string {
  const rows = runs.map((run): Row => columns.map(({ cell }) => cell(run)));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => textOf(row[i]!).length)));
  let shown = 0;
  for (let width = 0; shown < columns.length; shown++) {
    width += widths[shown]! + (shown > 0 ? GAP : 0);
    if (width > style.columns) break;
  }
  const header = columns.slice(0, shown).map(({ title }) => title);
  const left = columns.length - shown;
  const rest = left > 0 ? `(${counted(left, 'more column')} on a wider terminal or with -o json)\n` : '';
  return `${renderTable(
    header,
    rows.map((row) => row.slice(0, shown)),
    style,
  )}${rest}`;
}

const GAP = 2;
const textOf = (cell: string | Cell) => (typeof cell === 'string' ? cell : cell.text);
