import type { ProfilerCalibration } from '../../../../api/schema/index.ts';
import { axis, Chart } from '../../parts/Chart.tsx';
import { count, percent } from '../../view/format.ts';

const PERCENT = { range: [0, 100] as [number, number] };
const asPercent = (share: number) => share * 100;

/** Share of answers no longer than each predicted quantile, by model; on the diagonal, predictions are calibrated. */
export function CalibrationChart({ of: { models } }: { of: ProfilerCalibration }) {
  const shown = models.filter((m) => m.answers > 0);
  const quantiles = shown[0]?.points.map((p) => p.quantile) ?? [];
  const answers = shown.reduce((sum, m) => sum + m.answers, 0);
  const limited = models.reduce((sum, m) => sum + m.limited, 0);
  return (
    <Chart
      title="Calibration"
      summary={`${count(answers, 'answer')}, ${shown.map((m) => `${m.model}: ${percent(shareAt(m, 0.5))} below p50, ${percent(shareAt(m, 0.9))} below p90`).join('; ')}`}
      empty={
        shown.length === 0 &&
        `No answer with a predicted length in this time${limited > 0 ? `, but ${limited} that their own limit cut short` : ''}.`
      }
      data={[quantiles.map(asPercent), quantiles.map(asPercent), ...shown.map((m) => m.points.map((p) => asPercent(p.share)))]}
      options={(theme) => {
        const value = (_: unknown, share: number | null) => (share === null ? '–' : `${share.toFixed(1)} %`);
        return {
          series: [
            { label: 'Predicted', value: (_, quantile) => (quantile === null ? '–' : `p${quantile}`) },
            { label: 'calibrated', stroke: theme.quiet, dash: [6, 5], points: { show: false }, value },
            ...shown.map((m, i) => ({
              ...{ label: m.model, stroke: theme.series(i), width: 2, value },
              points: { size: 6, fill: theme.series(i), stroke: theme.series(i) },
            })),
          ],
          scales: { x: { time: false, ...PERCENT }, y: PERCENT },
          axes: [axis(theme, 'predicted quantile'), axis(theme, '% of answers no longer', { size: 52 })],
        };
      }}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" class="number">
              Answers
            </th>
            {quantiles.map((q) => (
              <th key={q} scope="col" class="number">
                p{Math.round(q * 100)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((m) => (
            <tr key={m.model}>
              <th scope="row">{m.model}</th>
              <td class="number">{m.answers.toLocaleString('en')}</td>
              {m.points.map((p) => (
                <td key={p.quantile} class="number">
                  {percent(p.share)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Chart>
  );
}

function shareAt(model: ProfilerCalibration['models'][number], quantile: number): number {
  return model.points.find((p) => p.quantile === quantile)?.share ?? 0;
}
