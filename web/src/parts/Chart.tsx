import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface ChartProps {
  title: string;
  /** What there is to see, in a sentence: read out in the picture's place. */
  summary: string;
  /** Makes the options for a theme and a width; made anew when `data` has other series, the theme or the width changes. */
  options: (theme: ChartTheme) => Omit<uPlot.Options, 'width' | 'height'>;
  data: uPlot.AlignedData;
  /** Said in place of the chart where there is nothing to draw. */
  empty?: ComponentChildren;
  /** The same as a table. */
  children: ComponentChildren;
}

/** Colours of the page, as a canvas takes them. */
export interface ChartTheme {
  ink: string;
  quiet: string;
  line: string;
  accent: string;
  surface: string;
  /** Of a series, by its place. */
  series(index: number): string;
  font: string;
}

const HEIGHT = 220;
const SERIES = 8;

/** A chart by uPlot with a heading, a sentence for those who do not see it, and its figures as a table. */
export function Chart({ title, summary, options, data, empty, children }: ChartProps) {
  return (
    <figure class="card chart">
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      {empty ? (
        <p class="quiet chart-empty">{empty}</p>
      ) : (
        <>
          <Plot label={`${title}: ${summary}`} options={options} data={data} />
          <details class="after">
            <summary>As a table</summary>
            <div class="scroll chart-table">{children}</div>
          </details>
        </>
      )}
    </figure>
  );
}

function Plot({ label, options, data }: { label: string } & Pick<ChartProps, 'options' | 'data'>) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ options, data });
  latest.current = { options, data };
  // uPlot keeps its options: with other series or labels it has to begin anew.
  const shape = JSON.stringify(options(PLAIN_THEME));
  useEffect(() => {
    const draw = () => {
      const current = latest.current;
      plot.current?.destroy();
      const width = Math.max(200, place.current!.clientWidth);
      plot.current = new uPlot({ ...current.options(themeOf(place.current!)), width, height: HEIGHT }, current.data, place.current!);
    };
    draw();
    const resized = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width);
      if (plot.current && width > 0 && width !== plot.current.width) plot.current.setSize({ width, height: HEIGHT });
    });
    resized.observe(place.current!);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div class="chart-place" ref={place} role="img" aria-label={label} />;
}

const PLAIN_THEME: ChartTheme = { ink: '', quiet: '', line: '', accent: '', surface: '', font: '', series: () => '' };

function themeOf(element: Element): ChartTheme {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: value('--ink'),
    quiet: value('--ink-2'),
    line: value('--line'),
    accent: value('--accent'),
    surface: value('--surface'),
    series: (index) => value(`--series-${index % SERIES}`),
    font: `12px ${style.fontFamily}`,
  };
}

/** An axis in the page's colours, with what it counts in. */
export function axis({ quiet, line, font }: ChartTheme, label: string, more: uPlot.Axis = {}): uPlot.Axis {
  const grid = { stroke: line, width: 1 };
  return { label, labelFont: font, labelSize: 20, labelGap: 0, size: 32, font, stroke: quiet, grid, ticks: { ...grid, size: 4 }, ...more };
}
