/** What the profiler's snapshots say over time, ready to be drawn. */
import type { ProfilerSnapshotResource } from '../../../api/schema/index.ts';

/** Scores of one model at one version. */
export interface ScorePoint {
  version: number;
  /** Answers that were scored so far. */
  observations: number;
  /** Unix time of publication, s. */
  createdAtSeconds: number;
  maeTokens: number;
  maeConstantMedianTokens: number;
  /** 0 to 1. */
  coverage90: number;
}

/** The scores of a model, oldest first; versions that had none of it are left out. */
export function scoreHistory(newestFirst: readonly ProfilerSnapshotResource[], model: string): ScorePoint[] {
  return newestFirst
    .flatMap(({ version, createdAt, scores }) => {
      const { observations = 0, maeTokens = null, maeConstantMedianTokens = null, coverage90 = null } = scores?.models[model] ?? {};
      if (maeTokens === null || maeConstantMedianTokens === null || coverage90 === null) return [];
      return [{ version, observations, createdAtSeconds: Date.parse(createdAt) / 1000, maeTokens, maeConstantMedianTokens, coverage90 }];
    })
    .reverse();
}

export interface PlotBox {
  width: number;
  height: number;
}

/** An SVG path through values from left to right, evenly spaced: 0 at the bottom, `most` at the top. A single value is a line across. */
export function linePath(values: readonly number[], most: number, { width, height }: PlotBox): string {
  const shown = values.length === 1 ? [values[0]!, values[0]!] : values;
  const y = (value: number) => round(height - (most > 0 ? Math.min(1, Math.max(0, value / most)) : 0) * height);
  return shown.map((value, i) => `${i === 0 ? 'M' : 'L'}${round((i / (shown.length - 1)) * width)} ${y(value)}`).join('');
}

/** How much smaller the error is than that of the constant median: `-18 %`; null where there is none to compare with. */
export function againstConstant(maeTokens: number | null, maeConstantMedianTokens: number | null): string | null {
  if (maeTokens === null || maeConstantMedianTokens === null || maeConstantMedianTokens === 0) return null;
  const change = Math.round((maeTokens / maeConstantMedianTokens - 1) * 100);
  return `${change > 0 ? '+' : ''}${change} %`;
}

const round = (n: number) => Math.round(n * 10) / 10;
