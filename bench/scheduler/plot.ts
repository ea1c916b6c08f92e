/** The comparison as pictures: one HTML file that needs no network and no scripts. Looks like the report of `uellm simulate`. */
import { escapeHtml } from '../../cli/report/html.ts';
import { STYLES } from '../../cli/report/styles.ts';
import { OURS } from './plan.ts';
import { rateText } from './report.ts';
import { type Bar, type CellSummary, type Outcome, percent } from './summary.ts';

export interface Page {
  /** As it is to be read. */
  generatedAt: string;
  targets: readonly number[];
  cells: readonly CellSummary[];
  outcomes: readonly Outcome[];
  bars: readonly Bar[];
  notes: readonly string[];
}

const WIDTH = 420;
const LABEL_WIDTH = 150;
const ROW = 15;
/** Lines that the eye can tell apart: the others are left out of the curves. */
const CURVE_POLICIES = [OURS, 'least-in-flight', 'shortest-predicted-ttft', 'slo-odbs', 'edf', 'round-robin'];
const CURVE_HEIGHT = 230;
const MARGIN = { left: 40, right: 10, top: 8, bottom: 24 };
const CURVE_LEAST = 0.5;

const EXTRA_STYLES = `
svg { width: 100%; height: auto; }
svg text { fill: var(--ink-2); font-size: 10px; }
svg .ours { fill: var(--line-1); }
svg .other { fill: var(--line-0); }
svg .second { opacity: 0.45; }
svg .axis, svg .whisker { stroke: var(--rule); fill: none; }
svg .whisker { stroke: var(--ink); }
svg polyline { fill: none; stroke-width: 1.6; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(380px, 1fr)); gap: 16px; margin-top: 12px; }
`;

export function renderPage({ generatedAt, targets, cells, outcomes, bars, notes }: Page): string {
  const [low, high] = [percent(targets[0]!), targets[1] === undefined ? null : percent(targets[1])];
  const curves = curveCells(cells).map((cell) =>
    figure(cell, curveChart(outcomes.filter(({ task }) => task.cell === cell && task.seed === 1))),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated: scheduling policies</title>
<style>${STYLES}${EXTRA_STYLES}</style>
</head>
<body>
<header>
<h1><span class="badge">Simulated</span> Scheduling policies: the largest rate at an attainment</h1>
<dl><dt>Generated</dt><dd>${escapeHtml(generatedAt)}</dd><dt>Notes</dt>${notes.map((note) => `<dd>${escapeHtml(note)}</dd>`).join('')}</dl>
</header>
<main>
<section><h2>Aims</h2>${bars.map((bar) => `<p>${barText(bar)}</p>`).join('\n')}</section>
<section>
<h2>Simulated largest rate scale</h2>
<p>Dark: ${low} of the requests within their SLO.${high === null ? '' : ` Light: ${high}.`} Median of the seeds, with the least and the most.</p>
<div class="grid">${cells.map((cell) => figure(cell.cell, barChart(cell))).join('\n')}</div>
</section>
<section>
<h2>Simulated attainment by rate</h2>
<p>At the rates that the searches of seed 1 looked at; what is below 50 % is drawn there.</p>
<div class="grid">${curves.join('\n')}</div>
</section>
</main>
</body>
</html>
`;
}

function barText({ aim, reached, figure: value }: Bar): string {
  const verdict = reached === null ? 'unknown' : reached ? 'reached' : 'not reached';
  return `<strong>${verdict}</strong>: ${escapeHtml(aim)}: ${escapeHtml(value)}`;
}

function figure(title: string, content: string): string {
  return `<figure><h3>${escapeHtml(title)}</h3>${content}</figure>`;
}

function barChart({ policies }: CellSummary): string {
  const most = Math.max(...policies.flatMap(({ rates }) => rates.map(({ max }) => max)), 1e-9);
  const x = (rate: number) => LABEL_WIDTH + (rate / most) * (WIDTH - LABEL_WIDTH - 45);
  const rows = policies.map(({ policy, rates }, i) => {
    const top = i * ROW + 2;
    const kind = policy === OURS ? 'ours' : 'other';
    const shapes = rates.slice(0, 2).map(({ median, min, max }, t) => {
      const y = top + t * 6;
      const middle = y + 2.5;
      return `<rect class="${kind}${t > 0 ? ' second' : ''}" x="${LABEL_WIDTH}" y="${y}" width="${n(x(median) - LABEL_WIDTH)}" height="5"/><path class="whisker" d="M${n(x(min))} ${middle}H${n(x(max))}"/>`;
    });
    const label = `<text x="${LABEL_WIDTH - 6}" y="${top + 9}" text-anchor="end">${escapeHtml(policy)}</text>`;
    return `${label}${shapes.join('')}<text x="${n(x(rates[0]!.max) + 4)}" y="${top + 9}">${rateText(rates[0]!.median)}</text>`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${policies.length * ROW + 4}" role="img">${rows.join('\n')}</svg>`;
}

/** One of each traffic where there are several. */
function curveCells(cells: readonly CellSummary[]): string[] {
  const seen = new Set<string>();
  return cells.flatMap(({ cell }) => {
    const workload = cell.split('/')[0]!;
    if (seen.has(workload)) return [];
    seen.add(workload);
    return [cell];
  });
}

function curveChart(outcomes: readonly Outcome[]): string {
  const lines = CURVE_POLICIES.flatMap((policy) => outcomes.find(({ task }) => task.policy === policy) ?? []);
  const visited = lines.flatMap(({ result }) => result.visited);
  if (visited.length === 0) return '<p>Nothing to show.</p>';
  const rates = visited.map(({ rateScale }) => rateScale);
  const [least, most] = [Math.min(...rates), Math.max(...rates) * 1.0001];
  const spanX = WIDTH - MARGIN.left - MARGIN.right;
  const spanY = CURVE_HEIGHT - MARGIN.top - MARGIN.bottom;
  const x = (rate: number) => MARGIN.left + (Math.log(rate / least) / Math.log(most / least)) * spanX;
  const y = (share: number) => MARGIN.top + ((1 - Math.max(CURVE_LEAST, share)) / (1 - CURVE_LEAST)) * spanY;
  const levels = [0.5, 0.6, 0.7, 0.8, 0.9, 1].map(
    (share) =>
      `<path class="axis" d="M${MARGIN.left} ${n(y(share))}H${WIDTH - MARGIN.right}"/><text x="${MARGIN.left - 4}" y="${n(y(share) + 3)}" text-anchor="end">${percent(share)}</text>`,
  );
  const ends = [least, most].map(
    (rate, i) => `<text x="${n(x(rate))}" y="${CURVE_HEIGHT - 8}" text-anchor="${i === 0 ? 'start' : 'end'}">${rateText(rate)}x</text>`,
  );
  const curves = lines.map(({ task, result }, i) => {
    const points = result.visited.map(({ rateScale, attainment }) => `${n(x(rateScale))},${n(y(attainment))}`).join(' ');
    const colour = `var(--line-${task.policy === OURS ? 1 : [0, 0, 2, 3, 4, 5][i]!})`;
    const key = `<text x="${MARGIN.left + 6}" y="${n(y(0.5) - 6 - i * 12)}" style="fill:${colour}">${escapeHtml(task.policy)}</text>`;
    return `<polyline points="${points}" style="stroke:${colour}"/>${key}`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${CURVE_HEIGHT}" role="img">${levels.join('')}${ends.join('')}${curves.join('\n')}</svg>`;
}

/** To a tenth of a unit: shorter, and enough. */
const n = (value: number) => Number(value.toFixed(1));
