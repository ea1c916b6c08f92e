import uPlot from 'uplot';
import type { Lengths, QueryDistribution } from '../../../../api/schema/index.ts';
import { axis, Chart, type ChartTheme } from '../../parts/Chart.tsx';
import { dayAndClock, timeValues } from '../../view/chart-text.ts';
import { count } from '../../view/format.ts';
import { arrivalsPerMinute, bucketText, shortTokens, stepTimes } from '../../view/slo.ts';
import { PredictionChart } from './PredictionChart.tsx';

const NOTHING = 'No requests in this window.';
const FROM_ZERO: uPlot.Scale = { range: (_, _min, max) => [0, Math.max(1, (max ?? 1) * 1.05)] };

/** What is asked for: how often, how long, and how well its length was foreseen. */
export function DistributionCharts({ distribution }: { distribution: QueryDistribution }) {
  return (
    <div class="charts">
      <Arrivals of={distribution} />
      <PredictionChart bands={distribution.predictions} />
      <LengthHistogram title="Input length" lengths={distribution.inputTokens} />
      <LengthHistogram title="Output length" lengths={distribution.outputTokens} />
    </div>
  );
}

function Arrivals({ of }: { of: QueryDistribution }) {
  const times = stepTimes(of);
  const total = of.arrivals.reduce((sum, step) => sum + step.requests, 0);
  const rates = arrivalsPerMinute(times, of);
  const most = Math.max(...rates);
  return (
    <Chart
      title="Arrivals"
      summary={`${count(total, 'request')}, at most ${most.toFixed(1)} a minute`}
      empty={total === 0 && NOTHING}
      data={[times, rates]}
      options={(theme) => ({
        series: [
          { label: 'Time', value: (_, seconds) => (seconds === null ? '–' : dayAndClock(seconds)) },
          { label: 'Requests a minute', stroke: theme.accent, fill: `${theme.accent}33`, width: 1.5, points: { show: false } },
        ],
        scales: { y: FROM_ZERO },
        axes: [axis(theme, 'Time', { values: timeValues }), axis(theme, 'requests a minute', { size: 52 })],
      })}
    >
      <RequestTable
        head="From"
        rows={of.arrivals.map((step) => ({
          key: step.startsAt,
          name: dayAndClock(Date.parse(step.startsAt) / 1000),
          requests: step.requests,
        }))}
      />
    </Chart>
  );
}

function LengthHistogram({ title, lengths }: { title: string; lengths: Lengths }) {
  const { requests, p50, p90, p99, buckets } = lengths;
  const quantiles = `median ${shortTokens(p50 ?? 0)}, p90 ${shortTokens(p90 ?? 0)}, p99 ${shortTokens(p99 ?? 0)} tokens`;
  return (
    <Chart
      // Buckets are named on the axis: others make another chart.
      key={`${buckets[0]?.fromTokens} ${buckets.length}`}
      title={requests === 0 ? title : `${title}: ${quantiles}`}
      summary={count(requests, 'request')}
      empty={requests === 0 && NOTHING}
      data={[buckets.map((_, i) => i), buckets.map((bucket) => bucket.requests)]}
      options={(theme) => bars(theme, buckets)}
    >
      <RequestTable
        head="Tokens"
        rows={buckets.map((bucket) => ({ key: String(bucket.fromTokens), name: bucketText(bucket), requests: bucket.requests }))}
      />
    </Chart>
  );
}

function RequestTable({ head, rows }: { head: string; rows: { key: string; name: string; requests: number }[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{head}</th>
          <th scope="col" class="number">
            Requests
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, name, requests }) => (
          <tr key={key}>
            <th scope="row">{name}</th>
            <td class="number">{requests.toLocaleString('en')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Labels closer together than this run into each other. */
const LABEL_PX = 44;

function bars(theme: ChartTheme, buckets: Lengths['buckets']): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    legend: { show: false },
    cursor: { show: false },
    series: [
      {},
      {
        label: 'Requests',
        stroke: theme.accent,
        fill: `${theme.accent}66`,
        width: 1,
        points: { show: false },
        paths: uPlot.paths.bars!({ size: [0.9, 60] }),
      },
    ],
    scales: {
      x: { time: false, range: [-0.5, buckets.length - 0.5] },
      y: FROM_ZERO,
    },
    axes: [
      axis(theme, 'tokens, from', {
        grid: { show: false },
        splits: (plot) => {
          const every = Math.max(1, Math.ceil((buckets.length * LABEL_PX) / Math.max(1, plot.width)));
          return buckets.flatMap((_, i) => (i % every === 0 ? [i] : []));
        },
        values: (_, splits) => splits.map((i) => shortTokens(buckets[i]?.fromTokens ?? 0)),
      }),
      axis(theme, 'requests', { size: 56 }),
    ],
  };
}
