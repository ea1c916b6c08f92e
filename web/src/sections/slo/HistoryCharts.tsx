import type uPlot from 'uplot';
import type { PolicyHistory, SloHistory } from '../../../../api/schema/index.ts';
import { axis, Chart, type ChartTheme } from '../../parts/Chart.tsx';
import { clock, dayAndClock, timeValues } from '../../view/chart-text.ts';
import { count, percent, target } from '../../view/format.ts';
import { attainedPercent, budgetPercent, stepTimes } from '../../view/slo.ts';

/** Attainment and error budget of each policy over the window. */
export function HistoryCharts({ history }: { history: SloHistory }) {
  const { policies } = history;
  const times = stepTimes(history);
  const targets = policies.map((policy) => (policy.targetAttainment === null ? null : policy.targetAttainment * 100));
  const lowestTarget = Math.min(100, ...targets.filter((t) => t !== null));
  return (
    <div class="charts">
      <Chart
        title="Attainment"
        summary={policies.map(attainmentText).join('; ')}
        data={[times, ...policies.map((policy) => attainedPercent(times, policy))]}
        options={(theme) => ({
          ...lines(policies, theme, '% of requests'),
          scales: { y: { range: (_, min) => [Math.max(0, Math.floor(Math.min(min ?? 100, lowestTarget)) - 1), 100] } },
          hooks: {
            draw: [
              (plot) => {
                for (const [i, level] of targets.entries()) if (level !== null) levelLine(plot, level, theme.series(i));
              },
            ],
          },
        })}
      >
        <StepTable policies={policies} value={({ requests, attained }) => percent(attained / requests)} />
      </Chart>
      <Chart
        title="Error budget left"
        summary={policies.map((p) => `${p.policy}: ${p.errorBudget ? percent(p.errorBudget.remaining) : 'none'}`).join('; ')}
        data={[times, ...policies.map((policy) => budgetPercent(times, policy))]}
        empty={
          policies.every((policy) => policy.errorBudget === null) &&
          'None of these policies has a budget: its target is gone, or no request may miss.'
        }
        options={(theme) => ({
          ...lines(policies, theme, '% of the window’s budget'),
          scales: { y: { range: (_, min) => [Math.min(0, Math.floor(min ?? 0)), 100] } },
          hooks: { draw: [(plot) => levelLine(plot, 0, theme.quiet)] },
        })}
      >
        <StepTable policies={policies} value={({ requests, attained }) => `${(requests - attained).toLocaleString('en')} missed`} />
      </Chart>
    </div>
  );
}

function attainmentText({ policy, requests, missed, targetAttainment }: PolicyHistory): string {
  const asked = targetAttainment === null ? '' : `, target ${target(targetAttainment)}`;
  return `${policy}: ${percent(1 - missed / requests)} of ${count(requests, 'request')}${asked}`;
}

function lines(policies: readonly PolicyHistory[], theme: ChartTheme, label: string): Omit<uPlot.Options, 'width' | 'height'> {
  const value = (_: uPlot, y: number | null) => (y === null ? '–' : `${y.toFixed(1)} %`);
  return {
    series: [
      { label: 'Time', value: (_, seconds) => (seconds === null ? '–' : dayAndClock(seconds)) },
      ...policies.map(
        (policy, i): uPlot.Series => ({
          label: policy.policy,
          stroke: theme.series(i),
          width: 1.75,
          points: { show: true, size: 4, fill: theme.series(i), stroke: theme.series(i) },
          value,
        }),
      ),
    ],
    axes: [axis(theme, 'Time', { values: timeValues }), axis(theme, label, { size: 52 })],
  };
}

/** A dashed line across the plot. */
function levelLine(plot: uPlot, level: number, colour: string): void {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(level, 'y', true);
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function StepTable({ policies, value }: { policies: PolicyHistory[]; value: (step: PolicyHistory['steps'][number]) => string }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">From</th>
          <th scope="col">Policy</th>
          <th scope="col" class="number">
            Requests
          </th>
          <th scope="col" class="number">
            Figure
          </th>
        </tr>
      </thead>
      <tbody>
        {policies.flatMap((policy) =>
          policy.steps.map((step) => (
            <tr key={`${policy.policy} ${step.startsAt}`}>
              <th scope="row">
                <time dateTime={step.startsAt}>{clock(Date.parse(step.startsAt) / 1000)}</time>
              </th>
              <td>{policy.policy}</td>
              <td class="number">{step.requests.toLocaleString('en')}</td>
              <td class="number">{value(step)}</td>
            </tr>
          )),
        )}
      </tbody>
    </table>
  );
}
