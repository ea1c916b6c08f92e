import { escapeHtml } from './html.ts';

/** What a report says about its runs besides the runs themselves. */
export interface ReportHeader {
  title: string;
  /** As it is to be read: the report has no clock of its own. */
  generatedAt: string;
  /** Name of the trace file. */
  trace: string;
  format: string;
  /** A line for each group of replicas. */
  fleet: string[];
  /** A line for each class of requests. */
  slo: string[];
  /** One, or `1 to 5`. */
  seed: number | string;
  notes: string[];
  /** Drawn as vertical lines on the CDFs. */
  targets?: Targets;
}

/** SLO targets in milliseconds, of whatever classes. */
export interface Targets {
  ttftMs?: number[];
  tpotMs?: number[];
  e2eMs?: number[];
}

/** What was simulated, and how to get it again. */
export function renderHeader(header: ReportHeader): string {
  const { title, generatedAt, trace, format, fleet, slo, seed, notes } = header;
  const facts: [string, string[]][] = [
    ['Trace', [`${trace} (${format})`]],
    ['Fleet', fleet],
    ['SLO', slo],
    ['Seed', [String(seed)]],
    ['Generated', [generatedAt]],
    ['Notes', notes],
  ];
  const told = facts.filter(([, lines]) => lines.length > 0);
  return `<header>
<h1><span class="badge">Simulated</span> ${escapeHtml(title)}</h1>
<p>Every figure on this page is simulated: no request reached an engine.</p>
<dl>
${told.map(([name, lines]) => `<dt>${name}</dt>${lines.map((line) => `<dd>${escapeHtml(line)}</dd>`).join('')}`).join('\n')}
</dl>
</header>`;
}
