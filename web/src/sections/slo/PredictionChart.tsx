import type uPlot from 'uplot';
import type { QueryDistribution } from '../../../../api/schema/index.ts';
import { axis, Chart } from '../../parts/Chart.tsx';
import { count, percent } from '../../view/format.ts';
import { bucketText, shortTokens } from '../../view/slo.ts';

type Band = QueryDistribution['predictions'][number];

/** Answers by the length that was predicted for them: where they really lay, beside where they should. */
export function PredictionChart({ bands }: { bands: Band[] }) {
  const answers = bands.reduce((sum, band) => sum + band.requests, 0);
  const below = bands.reduce((sum, band) => sum + band.requests * band.shareBelowP90, 0);
  const predicted = bands.map((band) => atLeastOne(band.meanPredictedP50));
  return (
    <Chart
      title="Output length, predicted and actual"
      summary={`${count(answers, 'answer')}, ${percent(below / answers)} of them no longer than their predicted p90`}
      empty={
        answers === 0 && 'No answer with a predicted length in this window: the profiler predicts once a model has answered some requests.'
      }
      data={[
        predicted,
        bands.map((band) => atLeastOne(band.actualP10)),
        bands.map((band) => atLeastOne(band.actualP90)),
        bands.map((band) => atLeastOne(band.actualP50)),
        predicted,
        bands.map((band) => atLeastOne(band.meanPredictedP90)),
      ]}
      options={(theme) => {
        const value = (_: unknown, tokens: number | null) => (tokens === null ? '–' : shortTokens(tokens));
        const edge = { stroke: 'transparent', points: { show: false }, value };
        const band = `${theme.accent}2e`;
        const powers: uPlot.Axis.Splits = (plot, axisIndex, min, max) =>
          powersOfTwo(min, max, axisIndex === 0 ? plot.width / 40 : plot.height / 40);
        const ticks = {
          splits: powers,
          filter: (_: uPlot, splits: number[]) => splits,
          values: (_: uPlot, splits: number[]) => splits.map(shortTokens),
        };
        const dots = { size: 6, fill: theme.accent, stroke: theme.accent };
        return {
          series: [
            { label: 'Predicted', value },
            { ...edge, label: 'actual p10', class: 'u-unlisted' },
            { ...edge, label: 'actual p10 to p90', value: () => '' },
            { label: 'actual median', stroke: theme.accent, width: 2, points: dots, value },
            { label: 'as predicted', stroke: theme.quiet, dash: [6, 5], points: { show: false }, value },
            { label: 'predicted p90', stroke: theme.series(1), dash: [2, 4], width: 1.5, points: { show: false }, value },
          ],
          bands: [{ series: [2, 1], fill: band }],
          legend: { markers: { fill: (_, i) => (i === 2 ? band : 'transparent') } },
          scales: { x: { time: false, distr: 3, log: 2, range: around }, y: { distr: 3, log: 2, range: around } },
          axes: [axis(theme, 'predicted median, tokens', ticks), axis(theme, 'actual, tokens', { ...ticks, size: 52 })],
        };
      }}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Predicted median, tokens</th>
            <th scope="col" class="number">
              Answers
            </th>
            <th scope="col" class="number">
              Actual p10
            </th>
            <th scope="col" class="number">
              Median
            </th>
            <th scope="col" class="number">
              p90
            </th>
            <th scope="col" class="number">
              Below predicted p90
            </th>
          </tr>
        </thead>
        <tbody>
          {bands.map((band) => (
            <tr key={band.fromTokens}>
              <th scope="row">{bucketText(band)}</th>
              <td class="number">{band.requests.toLocaleString('en')}</td>
              <td class="number">{Math.round(band.actualP10)}</td>
              <td class="number">{Math.round(band.actualP50)}</td>
              <td class="number">{Math.round(band.actualP90)}</td>
              <td class="number">{percent(band.shareBelowP90)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Chart>
  );
}

/** Logarithmic axes have no place for 0. */
const atLeastOne = (tokens: number) => Math.max(1, tokens);

/** Some room on both sides, so that a single group is a point in the middle. */
const around = (_: unknown, min: number | null, max: number | null): [number, number] => [(min ?? 1) / 1.4, (max ?? 2) * 1.4];

/** So many of them at most. */
function powersOfTwo(min: number, max: number, most: number): number[] {
  const [first, last] = [Math.ceil(Math.log2(min)), Math.floor(Math.log2(max))];
  const every = Math.max(1, Math.ceil((last - first + 1) / most));
  return Array.from({ length: Math.max(0, Math.floor((last - first) / every) + 1) }, (_, i) => 2 ** (first + i * every));
}
