/**
 * The report of `uellm simulate --report`: one HTML file that needs no network and opens from disk.
 *
 * The table is written here; the charts are drawn in the page by `page/`, from the runs, which stand in it as JSON. Nothing here has a
 * clock or writes a file. Text from files and flags reaches the page as text only: escaped, and its policy lets no other script run.
 */
import { createHash } from 'node:crypto';
import type { ReportedRun, Run } from '../../core/simulator/run.ts';
import { readUPlot } from './assets.ts';
import { renderCharts } from './charts.ts';
import { groupsOf, linesOf } from './grouping.ts';
import { type ReportHeader, renderHeader } from './header.ts';
import { escapeHtml, inlineJson } from './html.ts';
import type { PageData } from './page/data.ts';
import { pageScript } from './page-script.ts';
import { STYLES } from './styles.ts';
import { renderSummaryTable } from './summary-table.ts';

export type { ReportHeader };

/**
 * The report as the text of an HTML file. Runs at one rate are compared with one another; runs of one policy and predictor are a line.
 * @param visited further points of the lines of `runs`: what a search looked at on its way
 */
export function renderReport(header: ReportHeader, runs: readonly ReportedRun[], visited: readonly Run[] = []): string {
  const uPlot = readUPlot();
  const scripts = runs.length > 0 ? [uPlot.script, `${pageScript()}\n\nstartPage();`] : [];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src ${scripts.map(digest).join(' ') || "'none'"}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated: ${escapeHtml(header.title)}</title>
<style>
${uPlot.css}
${STYLES}
</style>
</head>
<body>
${renderHeader(header)}
<main>
${runs.length > 0 ? renderRuns(header, runs, visited) : renderNone(visited)}
</main>
${scripts.map((script) => `<script>${script}</script>`).join('\n')}
</body>
</html>
`;
}

function renderRuns(header: ReportHeader, reported: readonly ReportedRun[], visited: readonly Run[]): string {
  const runs = reported.map(({ run }) => run);
  const data: PageData = { runs: [...reported], lines: linesOf(runs, visited), groups: groupsOf(runs), targets: header.targets ?? {} };
  return `<section>
<h2>Simulated runs</h2>
${renderSummaryTable(runs)}
</section>
${renderCharts(runs, data)}
<script type="application/json" id="data">${inlineJson(data)}</script>`;
}

function renderNone(visited: readonly Run[]): string {
  const why = visited.length > 0 ? 'no rate that was looked at attains what was searched for.' : 'no run was simulated.';
  return `<section><h2>No simulated runs</h2><p>There is nothing to show: ${why}</p></section>`;
}

/** What the page's policy knows a script by. */
function digest(script: string): string {
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}
