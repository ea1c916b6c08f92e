/** What a run found, as tables. */
import { type Spread, spreadOf } from '../support/spread.ts';
import { renderTable } from '../support/table.ts';
import type { BarResult, Medians } from './bars.ts';
import type { SeveralResult } from './several.ts';

/** One router in one round. */
export interface Round {
  router: string;
  round: number;
  figures: Record<string, number>;
  /** Requests that were not answered whole, and what was wrong with the first. */
  failed: number;
  failure: string | null;
}

export type Spreads = Record<string, Record<string, Spread>>;

/** Router → figure → what its rounds came to. */
export function spreadsOf(rounds: readonly Round[]): Spreads {
  const spreads: Spreads = {};
  for (const router of new Set(rounds.map((r) => r.router))) {
    const own = rounds.filter((r) => r.router === router).map((r) => r.figures);
    const names = new Set(own.flatMap((figures) => Object.keys(figures)));
    const spread = (name: string) => spreadOf(own.flatMap((figures) => figures[name] ?? []));
    spreads[router] = Object.fromEntries([...names].map((name) => [name, spread(name)]));
  }
  return spreads;
}

export function mediansOf(spreads: Spreads): Medians {
  const medians = (of: Record<string, Spread>) => Object.fromEntries(Object.entries(of).map(([name, { median }]) => [name, median]));
  return Object.fromEntries(Object.entries(spreads).map(([router, of]) => [router, medians(of)]));
}

const MB = 1e-6;
const COLUMNS: readonly { figure: string; title: string; digits: number; times?: number }[] = [
  { figure: 'plainCpuUs', title: 'plain us', digits: 0 },
  { figure: 'plainPerSecond', title: 'plain/s', digits: 0 },
  { figure: 'streamCpuUs', title: 'stream us', digits: 0 },
  { figure: 'streamPerSecond', title: 'stream/s c16', digits: 0 },
  { figure: 'pacedCpuUs', title: 'paced us', digits: 0 },
  { figure: 'addedP50Ms', title: 'added p50 ms', digits: 3 },
  { figure: 'addedP99Ms', title: 'added p99 ms', digits: 3 },
  { figure: 'bodyCpuUs', title: '200 KB us', digits: 0 },
  { figure: 'bodyPerSecond', title: '200 KB/s', digits: 0 },
  { figure: 'rssBytes', title: 'RSS c64 MB', digits: 0, times: MB },
  { figure: 'streamsOpen', title: 'streams', digits: 0 },
  { figure: 'streamsRssBytes', title: 'RSS MB', digits: 0, times: MB },
  { figure: 'decisionUs', title: 'decision us', digits: 1 },
];

/** Median, and least to most where there were several rounds. Columns that nobody has are left out. */
export function renderSpreads(spreads: Spreads, absent: Readonly<Record<string, string>>, rounds: readonly Round[]): string {
  const columns = COLUMNS.filter(({ figure }) => Object.values(spreads).some((of) => of[figure]));
  const cell = (of: Record<string, Spread>, { figure, digits, times = 1 }: (typeof COLUMNS)[number]) => {
    const spread = of[figure];
    if (!spread) return '-';
    const text = (value: number) => (value * times).toFixed(digits);
    return spread.min === spread.max ? text(spread.median) : `${text(spread.median)} (${text(spread.min)}-${text(spread.max)})`;
  };
  const rows = Object.entries(spreads).map(([router, of]) => [router, ...columns.map((column) => cell(of, column))]);
  const missing = Object.entries(absent).map(([router, why]) => `${router} is left out: ${why}`);
  const failures = rounds.flatMap((r) =>
    r.failed > 0 ? [`${r.router}, round ${r.round}: ${r.failed} answers not whole: ${r.failure}`] : [],
  );
  return [renderTable(['router', ...columns.map((c) => c.title)], rows), ...missing, ...failures].join('\n');
}

export function renderBars(bars: readonly BarResult[]): string {
  const figure = (value: number | null) => (value === null ? '-' : value >= 1e6 ? `${(value * MB).toFixed(0)}e6` : value.toPrecision(3));
  return renderTable(
    ['bar', 'at most', 'is', 'ours', 'theirs', ''],
    bars.map(({ what, against, most, is, ours, theirs, reached }) => [
      what,
      against ? `${most} x ${against}` : figure(most),
      ...[is, ours, theirs].map(figure),
      reached === null ? 'not measured' : reached ? 'reached' : 'NOT reached',
    ]),
  );
}

export function renderSeveral(results: readonly SeveralResult[], limit: number): string {
  return renderTable(
    ['gateways', '', 'requests', 'failed', 'attained %', 'TTFT p99', 'TPOT p90', `most open, of ${limit}`, 'looks over it %', 'over by'],
    results.map((r) => [
      ...[String(r.gateways), r.mode, String(r.requests), String(r.failed), (100 * r.attainment).toFixed(1), r.ttftP99Ms.toFixed(0)],
      ...[r.tpotP90Ms.toFixed(1), String(r.mostOpen), (100 * r.overShare).toFixed(1), r.meanOver.toFixed(1)],
    ]),
  );
}
