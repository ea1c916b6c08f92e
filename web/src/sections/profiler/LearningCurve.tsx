import type { ProfilerSnapshotResource } from '../../../../api/schema/index.ts';
import { axis, Chart } from '../../parts/Chart.tsx';
import { dayAndClock, timeValues } from '../../view/chart-text.ts';
import { count, percent } from '../../view/format.ts';
import { scoreHistory } from '../../view/profiler.ts';

/** How the error of predictions went from snapshot to snapshot, beside that of a constant. @param over what it is drawn over */
export function LearningCurve({
  snapshots,
  model,
  over,
}: {
  snapshots: ProfilerSnapshotResource[];
  model: string;
  over: 'observations' | 'time';
}) {
  const points = scoreHistory(snapshots, model);
  const [first, last] = [points[0], points.at(-1)];
  const x = points.map((p) => (over === 'time' ? p.createdAtSeconds : p.observations));
  return (
    <Chart
      key={`${model} ${over}`}
      title={`Learning curve of ${model}`}
      summary={
        first && last
          ? `error from ${first.maeTokens.toFixed(1)} to ${last.maeTokens.toFixed(1)} tokens over ${count(points.length, 'snapshot')}`
          : ''
      }
      empty={points.length === 0 && 'No snapshot has scores of this model yet.'}
      data={[x, points.map((p) => p.maeTokens), points.map((p) => p.maeConstantMedianTokens)]}
      options={(theme) => {
        const value = (_: unknown, tokens: number | null) => (tokens === null ? '–' : `${tokens.toFixed(1)} tokens`);
        return {
          series: [
            over === 'time'
              ? { label: 'Published', value: (_, at) => (at === null ? '–' : dayAndClock(at)) }
              : { label: 'Observations', value: (_, n) => (n === null ? '–' : n.toLocaleString('en')) },
            { label: 'error', stroke: theme.accent, width: 2, value },
            { label: 'of a constant median', stroke: theme.quiet, dash: [6, 5], points: { show: false }, value },
          ],
          scales: { x: { time: over === 'time' }, y: { range: (_, _min, max) => [0, Math.max(1, (max ?? 1) * 1.1)] } },
          axes: [
            over === 'time' ? axis(theme, 'published', { values: timeValues }) : axis(theme, 'observations learned from'),
            axis(theme, 'mean absolute error, tokens', { size: 56 }),
          ],
        };
      }}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col" class="number">
              Observations
            </th>
            <th scope="col" class="number">
              Error, tokens
            </th>
            <th scope="col" class="number">
              Constant median
            </th>
            <th scope="col" class="number">
              Below p90
            </th>
          </tr>
        </thead>
        <tbody>
          {points.map((p) => (
            <tr key={p.version}>
              <th scope="row">{p.version}</th>
              <td class="number">{p.observations.toLocaleString('en')}</td>
              <td class="number">{p.maeTokens.toFixed(1)}</td>
              <td class="number">{p.maeConstantMedianTokens.toFixed(1)}</td>
              <td class="number">{percent(p.coverage90)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Chart>
  );
}
