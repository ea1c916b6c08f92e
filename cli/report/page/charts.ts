/** One chart for each kind of x axis, on what uPlot offers. */
import type UPlot from 'uplot';
import type { Columns } from './curves.ts';
import type { PageDocument, PageElement, PagePath } from './dom.ts';

declare const document: PageDocument;
declare const uPlot: typeof UPlot;
declare const Path2D: new () => PagePath;
// In the page all of these are functions of the same script.
declare const addMarker: typeof import('./marks.ts').addMarker;
declare const durationText: typeof import('./figures.ts').durationText;
declare const legendLabel: typeof import('./marks.ts').legendLabel;
declare const logRange: typeof import('./curves.ts').logRange;
declare const markOf: typeof import('./marks.ts').markOf;
declare const percentText: typeof import('./figures.ts').percentText;
declare const themeColour: typeof import('./marks.ts').themeColour;

export interface Curve {
  label: string;
  /** Which line of the report it belongs to: gives it its looks. */
  line: number;
}

export interface XAxis {
  label: string;
  log?: boolean;
  range?: [number, number];
  /** Where the ticks are, unless uPlot is to choose. */
  splits?: number[];
  /** Ticks are written aslant, where they stand close. */
  slanted?: boolean;
  tick(x: number): string;
  /** As the legend says it. */
  legend(x: number): string;
}

/** Shares of something, 0 to 1, over x: what all charts of this report are. @param targets vertical lines, each with its figure above */
export function drawShares(
  host: PageElement,
  x: XAxis,
  yLabel: string,
  curves: Curve[],
  data: Columns,
  markers: boolean,
  targets: number[],
) {
  host.replaceChildren();
  const series = curves.map((curve): UPlot.Series => {
    const mark = markOf(curve.line);
    return {
      label: legendLabel(curve.label, mark, markers),
      stroke: mark.colour,
      width: 2,
      dash: mark.dash,
      spanGaps: true,
      points: markers ? { show: true, size: 10, fill: mark.colour, paths: markerPaths(curve.line) } : { show: false },
      value: (_, share) => percentText(share),
    };
  });
  const chart = new uPlot(
    {
      width: host.clientWidth,
      height: 300,
      padding: [targets.length > 0 ? 26 : 12, 20, 0, 0],
      legend: { markers: { show: false } },
      cursor: { y: false },
      scales: {
        x: { time: false, ...(x.log ? { distr: 3, range: (_, min, max) => logRange(min, max) } : x.range ? { range: x.range } : {}) },
        y: { range: [-0.03, 1.03] },
      },
      axes: [
        {
          ...axisLooks(),
          label: x.label,
          labelSize: 22,
          size: x.slanted ? 44 : 30,
          ...(x.slanted ? { rotate: -45 } : {}),
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : x.tick(tick))),
          ...(x.splits ? { splits: x.splits } : {}),
        },
        {
          ...axisLooks(),
          label: yLabel,
          labelSize: 22,
          size: 52,
          splits: [0, 0.2, 0.4, 0.6, 0.8, 1],
          values: (_, ticks) => ticks.map((tick) => percentText(tick, 0)),
        },
      ],
      series: [{ label: document.createElement('span'), value: (_, value) => (value === null ? '' : x.legend(value)) }, ...series],
      hooks: { draw: [(u) => drawTargets(u, targets)] },
    },
    data,
    host,
  );
  return chart;
}

/** One curve in a low frame, without a legend: `onHover` is told which interval the reader points at. */
export function drawStrip(host: PageElement, data: Columns, colour: string, onHover: (index: number | null) => void) {
  return new uPlot(
    {
      width: host.clientWidth,
      height: 110,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: 'utilisation' }, points: { show: false } },
      scales: { x: { time: false }, y: { range: [0, 1.03] } },
      axes: [
        { ...axisLooks(), size: 26, space: 70, values: (_, ticks) => ticks.map((tick) => `${tick.toLocaleString('en-US')} s`) },
        { ...axisLooks(), size: 52, splits: [0, 0.5, 1], values: (_, ticks) => ticks.map((tick) => percentText(tick, 0)) },
      ],
      series: [{}, { stroke: colour, fill: `${colour}33`, width: 1.5, points: { show: false }, paths: uPlot.paths.stepped!({ align: 1 }) }],
      hooks: { setCursor: [(u) => onHover(u.cursor.idx ?? null)] },
    },
    data,
    host,
  );
}

export function axisLooks(): UPlot.Axis {
  const grid = { stroke: themeColour('--grid'), width: 1 };
  const font = '12px system-ui, sans-serif';
  return { stroke: themeColour('--ink-2'), grid, ticks: grid, font, labelFont: font };
}

/** Draws a line's own marker at each of its points. */
export function markerPaths(line: number): UPlot.Series.Points.PathBuilder {
  const mark = markOf(line);
  return (u, seriesIndex, from, to) => {
    const path = new Path2D();
    for (let i = from; i <= to; i++) {
      const y = u.data[seriesIndex]![i];
      if (y === null || y === undefined) continue;
      addMarker(path, mark, u.valToPos(u.data[0][i]!, 'x', true), u.valToPos(y, 'y', true), 4 * uPlot.pxRatio);
    }
    return { stroke: path, fill: path } as unknown as UPlot.Series.Paths;
  };
}

/** Vertical lines over the whole height, with their figures above it. Where two are too close to be written apart, they are written as one. */
export function drawTargets(u: UPlot, targets: number[]): void {
  const { ctx, bbox } = u;
  const scale = uPlot.pxRatio;
  const labels: { x: number; text: string; end: number }[] = [];
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = themeColour('--target');
  ctx.lineWidth = 1.5 * scale;
  ctx.font = `${12 * scale}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  ctx.setLineDash([6 * scale, 4 * scale]);
  for (const target of [...new Set(targets)].sort((a, b) => a - b)) {
    const x = u.valToPos(target, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top - 4 * scale);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const half = (text: string) => ctx.measureText(text).width / 2 + 4 * scale;
    const previous = labels.at(-1);
    const apart = !previous || x - half(durationText(target)) > previous.end;
    const text = apart ? durationText(target) : `${previous.text}, ${durationText(target)}`;
    // Never beyond the right edge.
    const centre = Math.min(apart ? x : (previous.x + x) / 2, ctx.canvas.width - half(text));
    labels.splice(apart ? labels.length : -1, apart ? 0 : 1, { x: centre, text, end: centre + half(text) });
  }
  for (const { x, text } of labels) ctx.fillText(text, x, bbox.top - 8 * scale);
  ctx.restore();
}
