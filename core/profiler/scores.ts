/** Prequential evaluation: every answer is scored against the prediction made before anything was learned from it. */
import type { OutputPrediction } from './predict.ts';
import type { ProfilerSnapshot, Score } from './snapshot.ts';

/** Means look back over about this many observations. */
const WINDOW = 2000;

/** Counts one answer in, in place. The constant median is scored before it moves, too. */
export function updateScore(score: Score, outputTokens: number, predicted: OutputPrediction): void {
  score.observations++;
  const pace = 1 / Math.min(score.observations, WINDOW);
  const median = Math.exp(score.logMedian);
  score.maeTokens += pace * (Math.abs(outputTokens - predicted.p50) - score.maeTokens);
  score.maeConstantMedianTokens += pace * (Math.abs(outputTokens - median) - score.maeConstantMedianTokens);
  score.coverage90 += pace * ((outputTokens <= predicted.p90 ? 1 : 0) - score.coverage90);
  score.logMedian += 0.5 * Math.max(0.02, 1 / Math.sqrt(score.observations)) * Math.sign(outputTokens - median);
}

export interface ScoreReport {
  observations: number;
  maeTokens: number | null;
  maeConstantMedianTokens: number | null;
  coverage90: number | null;
}

/** Scores for people: over all models, each by its own head, and per model. null where nothing was scored yet. */
export function reportScores(snapshot: ProfilerSnapshot): { all: ScoreReport; models: Record<string, ScoreReport> } {
  const heads = Object.entries(snapshot.models);
  return { all: pool(heads.map(([, head]) => head.score)), models: Object.fromEntries(heads.map(([name, h]) => [name, pool([h.score])])) };
}

function pool(scores: Score[]): ScoreReport {
  const observations = scores.reduce((sum, s) => sum + s.observations, 0);
  const mean = (of: (score: Score) => number) =>
    observations === 0 ? null : scores.reduce((sum, s) => sum + of(s) * s.observations, 0) / observations;
  return {
    observations,
    maeTokens: mean((s) => s.maeTokens),
    maeConstantMedianTokens: mean((s) => s.maeConstantMedianTokens),
    coverage90: mean((s) => s.coverage90),
  };
}
