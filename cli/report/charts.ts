/** Where the charts will be: headings, what is to be known about each, and select boxes. The page's script draws into the plots. */
import type { Run } from '../../core/simulator/run.ts';
import { rateText } from './grouping.ts';
import { escapeHtml } from './html.ts';
import type { PageData } from './page/data.ts';

export function renderCharts(runs: readonly Run[], { lines, groups, targets }: PageData): string {
  const groupNames = groups.map(({ label, searched }) => (searched ? label : `${label} the trace's rate`));
  const runNames = groups.flatMap((group) =>
    group.runs.map((i) => {
      const line = lines.find((candidate) => candidate.runs.includes(i))!;
      const name = `${line.label} at ${rateText(runs[i]!.rateScale)}`;
      return { value: i, name: group.searched ? `${name}, ${group.label}` : name };
    }),
  );
  const usual = usualGroup(groups);
  const groupOptions = groupNames.map((name, value) => ({ value, name }));
  return `<noscript><section><p>The charts need scripts. The table above has the figures.</p></section></noscript>
<section>
<h2>Simulated attainment by rate</h2>
<p>${attainmentNote(runs, lines)}</p>
<div class="plot" id="rates"></div>
</section>
<section>
<h2>Simulated latency</h2>
<p>Share of the requests that took at most so long.${targetsNote(targets)} Drag over a chart to see a part of it larger, double-click for all of it; click a name to hide its line.</p>
${select('cdf-group', 'Rate', groupOptions, usual)}
<div class="grid">
${figure('ttftMs', 'Simulated TTFT', 'Time to the first token, logarithmic.')}
${figure('tpotMs', 'Simulated TPOT', 'Mean time per output token after the first.')}
${figure('e2eMs', 'Simulated end-to-end latency', 'Arrival to last token, logarithmic.')}
</div>
</section>
<section>
<h2>Simulated utilisation by replica</h2>
<p>Share of each interval in which the replica had a step running.</p>
${select('utilisation-run', 'Run', runNames, groups[usual]!.runs[0]!)}
<div class="grid plot" id="utilisation"></div>
</section>
<section>
<h2>Simulated attainment by input length</h2>
<p>Each point is a tenth of the requests, shortest inputs first, above its largest input.</p>
${select('decile-group', 'Rate', groupOptions, usual)}
<div class="plot" id="deciles"></div>
</section>`;
}

/** What is shown first: the rate of the trace itself or, where it was not run, a rate in the middle. */
function usualGroup(groups: PageData['groups']): number {
  const own = groups.findIndex(({ label }) => label === rateText(1));
  return own >= 0 ? own : groups.length >> 1;
}

function attainmentNote(runs: readonly Run[], lines: PageData['lines']): string {
  const visited = lines.flatMap((line) => line.visited);
  const rates = new Set([...runs, ...visited].map(({ rateScale }) => rateScale));
  const what = 'Share of all requests that met every target of their class.';
  if (visited.length > 0) return `${what} Points are all rates that the search looked at.`;
  return rates.size > 1 ? what : `${what} Only one rate was run (${rateText([...rates][0]!)}): a point for each policy instead of a line.`;
}

function targetsNote(targets: PageData['targets']): string {
  return Object.values(targets).some((ms) => ms.length > 0) ? ' Dashed vertical lines are SLO targets.' : '';
}

function figure(id: string, title: string, what: string): string {
  return `<figure><h3>${title}</h3><figcaption>${what}</figcaption><div class="plot" id="${id}"></div></figure>`;
}

function select(id: string, label: string, options: { value: number; name: string }[], chosen: number): string {
  const tags = options.map(
    ({ value, name }) => `<option value="${value}"${value === chosen ? ' selected' : ''}>${escapeHtml(name)}</option>`,
  );
  return `<label for="${id}">${label} <select id="${id}">${tags.join('')}</select></label>`;
}
