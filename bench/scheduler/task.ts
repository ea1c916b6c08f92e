/** One policy on one cell with one seed: what is looked for, and what was found. Plain data, so that workers and files can have it. */
import type { UellmOptions } from '../../core/scheduler/uellm/options.ts';
import type { PredictorName } from '../../core/simulator/predictors.ts';
import type { Run } from '../../core/simulator/run.ts';

export interface Task {
  cell: string;
  /** A registered policy. */
  policy: string;
  /** What differs from its defaults; of `uellm` only. */
  changes: Partial<UellmOptions>;
  predictor: PredictorName;
  seed: number;
  /** Requests of the workload, the first ones. */
  requests: number;
  /** Attainments to find the largest rate for, lowest first. */
  targets: readonly number[];
  /** Relative width at which a search stops. */
  precision: number;
  /** What is wrong with the gateway's picture of the engines. */
  disturbance: { modelFactor?: number; engineStateAgeMs?: number; streamDelayMs?: number };
  /** A rate to run at besides; null for none. */
  atRate: number | null;
}

export interface Found {
  target: number;
  /** At the largest rate that attains it; null where none does. */
  run: Run | null;
}

export interface TaskResult {
  found: Found[];
  /** At `atRate`. */
  atRate: Run | null;
  /** Every rate that was run, lowest first. */
  visited: { rateScale: number; attainment: number }[];
  seconds: number;
}

/** `uellm lengthFairness=0, oracle, modelFactor=1.4`: the policy and all that is unusual. */
export function subjectOf({
  policy,
  changes,
  predictor,
  disturbance,
}: Pick<Task, 'policy' | 'changes' | 'predictor' | 'disturbance'>): string {
  const assignments = (values: object) => Object.entries(values).map(([name, value]) => `${name}=${value}`);
  return [[policy, ...assignments(changes)].join(' '), ...(predictor === 'learned' ? [] : [predictor]), ...assignments(disturbance)].join(
    ', ',
  );
}
