/** What Prometheus reads of the profiler. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Learned } from '../core/profiler/learn.ts';
import { reportScores } from '../core/profiler/scores.ts';
import type { ProfilerSnapshot } from '../core/profiler/snapshot.ts';

export type ProfilerMetrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const snapshotVersion = new Gauge({ name: 'uellm_profiler_snapshot_version', help: 'Version of the snapshot in force.', registers });
  const trains = new Gauge({ name: 'uellm_profiler_trains', help: '1 in the one process that trains.', registers });
  const observations = new Counter({
    name: 'uellm_profiler_observations_total',
    help: 'Observations read by this process, learned from or skipped and why.',
    labelNames: ['result'],
    registers,
  });
  const refused = new Counter({
    name: 'uellm_profiler_snapshots_refused_total',
    help: 'Times that what was learned predicted worse than the snapshot in force and was not published.',
    labelNames: ['result'],
    registers,
  });
  const predictions = new Counter({ name: 'uellm_profiler_predictions_total', help: 'Predictions answered over HTTP.', registers });
  const mae = new Gauge({
    name: 'uellm_profiler_output_mae_tokens',
    help: 'Mean absolute error of the predicted median output length, prequential.',
    labelNames: ['model'],
    registers,
  });
  const maeConstant = new Gauge({
    name: 'uellm_profiler_output_mae_constant_median_tokens',
    help: 'The same error for a constant median.',
    labelNames: ['model'],
    registers,
  });
  const coverage = new Gauge({
    name: 'uellm_profiler_output_coverage90_ratio',
    help: 'Share of answers no longer than their predicted p90, prequential.',
    labelNames: ['model'],
    registers,
  });
  return {
    registry,
    predictions,
    refused,
    trains,
    learned({ learned, skipped }: Learned): void {
      observations.inc({ result: 'learned' }, learned);
      for (const [reason, count] of Object.entries(skipped)) observations.inc({ result: reason }, count);
    },
    inForce(snapshot: ProfilerSnapshot): void {
      snapshotVersion.set(snapshot.version);
      for (const [model, score] of Object.entries(reportScores(snapshot).models)) {
        if (score.observations === 0) continue;
        mae.set({ model }, score.maeTokens!);
        maeConstant.set({ model }, score.maeConstantMedianTokens!);
        coverage.set({ model }, score.coverage90!);
      }
    },
  };
}
