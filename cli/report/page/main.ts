/** What is drawn where, and when again. */
import type { Columns } from './curves.ts';
import type { PageData } from './data.ts';
import type { PageDocument, PageElement, PageWindow } from './dom.ts';

declare const document: PageDocument;
declare const window: PageWindow;
declare const requestAnimationFrame: (then: () => void) => void;
// In the page all of these are functions of the same script.
declare const cdfColumns: typeof import('./curves.ts').cdfColumns;
declare const drawShares: typeof import('./charts.ts').drawShares;
declare const drawStrip: typeof import('./charts.ts').drawStrip;
declare const durationText: typeof import('./figures.ts').durationText;
declare const percentText: typeof import('./figures.ts').percentText;
declare const pointColumns: typeof import('./curves.ts').pointColumns;
declare const stepColumns: typeof import('./curves.ts').stepColumns;
declare const themeColour: typeof import('./marks.ts').themeColour;
declare const tokensText: typeof import('./figures.ts').tokensText;

/** Draws all charts, and again what a select box, the width or the theme changes. */
export function startPage(): void {
  const data = JSON.parse(element('data').textContent) as PageData;
  const charts: Record<string, (data: PageData) => void> = {
    'cdf-group': drawCdfs,
    'utilisation-run': drawUtilisation,
    'decile-group': drawDeciles,
  };
  const drawAll = () => {
    drawRates(data);
    for (const draw of Object.values(charts)) draw(data);
  };
  for (const [select, draw] of Object.entries(charts)) element(select).addEventListener('change', () => draw(data));

  let width = element('rates').clientWidth;
  window.addEventListener('resize', () =>
    requestAnimationFrame(() => {
      // A phone resizes its window whenever it hides its address bar: that is no reason to forget what was zoomed.
      if (element('rates').clientWidth === width) return;
      width = element('rates').clientWidth;
      drawAll();
    }),
  );
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  drawAll();
}

export function element(id: string): PageElement {
  return document.getElementById(id)!;
}

/** The runs of the group that a select box names, each with the curve it is drawn as. */
export function chosenRuns({ runs, lines, groups }: PageData, select: string) {
  const group = groups[Number(element(select).value)]!;
  return group.runs.map((index) => {
    const line = lines.findIndex((candidate) => candidate.runs.includes(index));
    const { run, series } = runs[index]!;
    // What was searched for is attained at another rate by each policy.
    const rate = group.searched ? ` at ${Number(run.rateScale.toPrecision(4))}×` : '';
    return { run, series, curve: { label: `${lines[line]!.label}${rate}`, line } };
  });
}

export function drawRates({ runs, lines }: PageData): void {
  const points = lines.map((line) =>
    [...line.visited, ...line.runs.map((i) => runs[i]!.run)].map(({ rateScale, attainment }) => ({ x: rateScale, y: attainment })),
  );
  const rates = points.flat().map(({ x }) => x);
  const [min, max] = [Math.min(...rates), Math.max(...rates)];
  const margin = max > min ? 0.04 * (max - min) : 0.5 * max;
  const rateText = (rate: number) => `${Number(rate.toPrecision(4))}×`;
  const x = {
    label: 'Rate scale',
    range: [min - margin, max + margin] as [number, number],
    tick: rateText,
    ...(max > min ? {} : { splits: [max] }),
    legend: (rate: number) => `Rate ${rateText(rate)}`,
  };
  const curves = lines.map(({ label }, line) => ({ label, line }));
  drawShares(element('rates'), x, 'Simulated attainment', curves, pointColumns(points), true, []);
}

export function drawCdfs(data: PageData): void {
  const metrics = [
    { key: 'ttftMs', name: 'TTFT', log: true },
    { key: 'tpotMs', name: 'TPOT', log: false },
    { key: 'e2eMs', name: 'End to end', log: true },
  ] as const;
  for (const { key, name, log } of metrics) {
    const drawn = chosenRuns(data, 'cdf-group').filter(({ series }) => series[key].some((ms) => ms !== null));
    const targets = data.targets[key] ?? [];
    const samples = drawn.map(({ series }) => series[key]);
    const columns = cdfColumns(samples, targets, log ? 0.1 : 0);
    const x = { label: `${name}, simulated`, log, tick: durationText, legend: (ms: number) => `${name} ${durationText(ms)}` };
    const curves = drawn.map(({ curve }) => curve);
    if (drawn.length === 0) element(key).replaceChildren('No request came so far in these simulated runs.');
    else drawShares(element(key), x, 'Simulated share of requests', curves, columns, false, targets);
  }
}

/** A strip for each replica, since lines over one another cannot be told apart where a fleet is large or busy. */
export function drawUtilisation({ runs }: PageData): void {
  const { intervalSeconds, replicas } = runs[Number(element('utilisation-run').value)]!.series.utilisation;
  const host = element('utilisation');
  const strips = replicas.map(({ id, shares }) => {
    const [strip, heading, figure] = [document.createElement('div'), document.createElement('h3'), document.createElement('span')];
    const mean = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
    const tell = (i: number | null) => {
      const at = i === null ? undefined : shares[Math.min(i, shares.length - 1)];
      figure.textContent =
        at === undefined
          ? `mean ${percentText(mean)}`
          : `${percentText(at)} at ${Math.round(i! * intervalSeconds).toLocaleString('en-US')} s`;
    };
    tell(null);
    heading.append(id, figure);
    strip.append(heading);
    return { strip, shares, tell };
  });
  // All of them are there before the first is drawn: only then is it known how wide they are.
  if (strips.length > 0) host.replaceChildren(...strips.map(({ strip }) => strip));
  else host.replaceChildren('This simulated run has no replica.');
  for (const { strip, shares, tell } of strips) drawStrip(strip, stepColumns(shares, intervalSeconds), themeColour('--line-0'), tell);
}

export function drawDeciles(data: PageData): void {
  const drawn = chosenRuns(data, 'decile-group');
  const host = element('deciles');
  const tokens = drawn[0]!.run.inputDecileTokens;
  const short = host.clientWidth < 700;
  const x = {
    label: 'Largest input, tokens',
    slanted: short,
    range: [-0.4, tokens.length - 0.6] as [number, number],
    splits: tokens.map((_, i) => i),
    tick: (i: number) => tokensText(tokens[i], short),
    legend: (i: number) => `Up to ${tokensText(tokens[i], false)} tokens`,
  };
  const columns: Columns = [
    tokens.map((_, i) => i),
    ...drawn.map(({ run }) => tokens.map((_, i) => run.attainmentByInputDecile[i] ?? null)),
  ];
  const curves = drawn.map(({ curve }) => curve);
  if (tokens.length === 0) host.replaceChildren('No request was simulated.');
  else drawShares(host, x, 'Simulated attainment', curves, columns, true, []);
}
