import { linePath, type ScorePoint } from '../view/profiler.ts';

const BOX = { width: 150, height: 34 };
const LINES = [
  { of: 'maeConstantMedianTokens', name: 'constant median', style: 'plot-constant' },
  { of: 'maeTokens', name: 'error', style: 'plot-error' },
] as const;

/** The error of predictions beside that of the constant median, and the share below p90, version by version. */
export function ScorePlot({ model, points }: { model: string; points: readonly ScorePoint[] }) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const most = Math.max(...points.flatMap((p) => [p.maeTokens, p.maeConstantMedianTokens])) * 1.1;
  const label = `${model}, versions ${first.version} to ${last.version}: error from ${first.maeTokens.toFixed(1)} to ${last.maeTokens.toFixed(1)} tokens`;
  return (
    <span class="plots">
      <svg
        class="plot"
        role="img"
        aria-label={label}
        width={BOX.width}
        height={BOX.height}
        viewBox={`-1 -2 ${BOX.width + 2} ${BOX.height + 4}`}
      >
        <title>{`${label}; thin: constant median`}</title>
        <path class="plot-axis" d={`M0 ${BOX.height}H${BOX.width}`} />
        {LINES.map(({ of, style }) => (
          <path
            key={of}
            class={style}
            d={linePath(
              points.map((p) => p[of]),
              most,
              BOX,
            )}
          />
        ))}
      </svg>
      <svg
        class="plot"
        role="img"
        aria-label={`${model}: share below p90, from ${first.coverage90.toFixed(2)} to ${last.coverage90.toFixed(2)}`}
        width={BOX.width / 2}
        height={BOX.height}
        viewBox={`-1 -2 ${BOX.width / 2 + 2} ${BOX.height + 4}`}
      >
        <title>Share of answers below p90, 50 % to 100 %; dashed: 90 %</title>
        <path class="plot-axis" d={`M0 ${BOX.height}H${BOX.width / 2}`} />
        <path class="plot-target" d={coveragePath([0.9])} />
        <path class="plot-error" d={coveragePath(points.map((p) => p.coverage90))} />
      </svg>
    </span>
  );
}

/** Below a half nobody looks at the exact figure. */
function coveragePath(shares: readonly number[]): string {
  return linePath(
    shares.map((share) => share - 0.5),
    0.5,
    { width: BOX.width / 2, height: BOX.height },
  );
}
