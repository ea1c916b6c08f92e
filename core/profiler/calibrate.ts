/**
 * From the timings of a calibration run to an engine's own step-time coefficients.
 *
 * The prior's coefficients are multiplied by factors that are fitted as logarithms, so none ever becomes negative: one factor for decode
 * (d0, d1, d2), one for prefill (ra, rc, rb), and a deviation of each term from its group. Every logarithm is pulled towards 0, a
 * deviation more than a group: what the samples do not tell stays as the prior has it, and three samples calibrate as soundly as thirty.
 */
import { UellmError } from '../domain/errors.ts';
import { decodeStepMs, prefillMs, type StepTimeCoefficients } from '../domain/step-time.ts';
import { solvePositiveDefinite } from './linear-solve.ts';

export type CalibrationSample =
  /** A prompt prefilled alone on an idle engine. */
  | { kind: 'prefill'; inputTokens: number; ms: number }
  /** Mean duration of steps that only decode: `contextTokens` is the sum over the sequences. */
  | { kind: 'decode'; sequences: number; contextTokens: number; msPerStep: number };

export interface StepTimeFit {
  coefficients: StepTimeCoefficients;
  /** Mean absolute error of the fit over the samples, per cent of the measured time. */
  errorPercent: number;
  /** The same of the prior. */
  priorErrorPercent: number;
}

/** Logarithms of the factors: the two groups first, then the deviation of each term. */
const DECODE = 0;
const PREFILL = 1;
const TERMS = [
  ['d0', DECODE, 2],
  ['d1', DECODE, 3],
  ['d2', DECODE, 4],
  ['ra', PREFILL, 5],
  ['rc', PREFILL, 6],
  ['rb', PREFILL, 7],
] as const;
const PARAMETERS = 8;

/**
 * Weight of "as the prior has it" against one sample that is off by the factor e. Chosen on 54 shapes of aiconfigurator's tables: from
 * five noisy samples they leave the least error on all other batches and contexts, where less pull bends the terms that were not seen.
 */
const GROUP_PULL = 1e-4;
const TERM_PULL = 2e-2;

/** Relative errors beyond this count less and less: a step that was interrupted by something else must not bend the fit. */
const OUTLIER = 0.15;

const ITERATIONS = 60;
/** No engine is further from its prior than e^9, about 8,000 times. */
const MAX_LOG_FACTOR = 9;

/**
 * Fits coefficients to samples by Levenberg-Marquardt on relative errors. `o` stays the prior's: it cannot be told from d0 by timing.
 * @throws invalid-input when no sample is usable (finite, above 0)
 */
export function fitStepTime(prior: StepTimeCoefficients, samples: readonly CalibrationSample[]): StepTimeFit {
  const usable = samples.filter(isUsable);
  if (usable.length === 0) {
    const allowed = 'at least one sample with finite times and counts above 0';
    const issues = [{ field: 'samples', given: `${samples.length} samples, none of them usable`, allowed }];
    throw new UellmError({ kind: 'invalid-input', what: 'calibration run', issues });
  }
  const coefficients = scaled(prior, levenbergMarquardt(prior, usable));
  return { coefficients, errorPercent: errorPercentOf(coefficients, usable), priorErrorPercent: errorPercentOf(prior, usable) };
}

function errorPercentOf(coefficients: StepTimeCoefficients, samples: readonly CalibrationSample[]): number {
  const errors = samples.map((sample) => Math.abs(predictedMs(coefficients, sample) / measuredMs(sample) - 1));
  return (100 * errors.reduce((a, b) => a + b, 0)) / errors.length;
}

/** A fit that explains its own samples no better than this, per cent, measured something else as well: a busy machine, as a rule. */
const SOUND_ERROR_PERCENT = 20;
/** A prior that is off by more than this, per cent, is worse than any fit. */
const HOPELESS_PRIOR_PERCENT = 80;

/** Is a fit better than the prior it began with? */
export function isSound({ errorPercent, priorErrorPercent }: StepTimeFit): boolean {
  return errorPercent <= SOUND_ERROR_PERCENT || (priorErrorPercent > HOPELESS_PRIOR_PERCENT && errorPercent < priorErrorPercent / 2);
}

function levenbergMarquardt(prior: StepTimeCoefficients, samples: readonly CalibrationSample[]): number[] {
  let logs = new Array<number>(PARAMETERS).fill(0);
  let cost = costOf(prior, logs, samples);
  let damping = 1e-2;
  for (let i = 0; i < ITERATIONS && damping < 1e8; i++) {
    const step = dampedStep(prior, logs, samples, damping);
    const next = logs.map((value, p) => Math.max(-MAX_LOG_FACTOR, Math.min(MAX_LOG_FACTOR, value + step[p]!)));
    const nextCost = costOf(prior, next, samples);
    if (nextCost < cost) {
      logs = next;
      cost = nextCost;
      damping /= 4;
    } else {
      damping *= 4;
    }
  }
  return logs;
}

/** Solves (JᵀWJ + pull + damping) step = -gradient, the Jacobian by forward differences. */
function dampedStep(
  prior: StepTimeCoefficients,
  logs: readonly number[],
  samples: readonly CalibrationSample[],
  damping: number,
): number[] {
  const epsilon = 1e-5;
  const base = scaled(prior, logs);
  const nudged = logs.map((_, p) =>
    scaled(
      prior,
      logs.map((value, q) => (p === q ? value + epsilon : value)),
    ),
  );
  const matrix = Array.from({ length: PARAMETERS }, () => new Array<number>(PARAMETERS).fill(0));
  const negativeGradient = logs.map((value, p) => -pull(p) * value);
  for (const sample of samples) {
    const error = logError(base, sample);
    const weight = 1 / Math.max(1, Math.abs(error) / OUTLIER);
    const slopes = nudged.map((coefficients) => (logError(coefficients, sample) - error) / epsilon);
    for (let p = 0; p < PARAMETERS; p++) {
      negativeGradient[p]! -= weight * slopes[p]! * error;
      for (let q = 0; q < PARAMETERS; q++) matrix[p]![q]! += weight * slopes[p]! * slopes[q]!;
    }
  }
  for (let p = 0; p < PARAMETERS; p++) matrix[p]![p]! += pull(p) + damping;
  return solvePositiveDefinite(matrix, negativeGradient);
}

/** Huber's loss of the errors, and the pull towards the prior. */
function costOf(prior: StepTimeCoefficients, logs: readonly number[], samples: readonly CalibrationSample[]): number {
  const coefficients = scaled(prior, logs);
  const loss = samples.reduce((sum, sample) => {
    const error = Math.abs(logError(coefficients, sample));
    return sum + (error <= OUTLIER ? (error * error) / 2 : OUTLIER * (error - OUTLIER / 2));
  }, 0);
  return logs.reduce((sum, value, p) => sum + (pull(p) * value * value) / 2, loss);
}

function pull(parameter: number): number {
  return parameter === DECODE || parameter === PREFILL ? GROUP_PULL : TERM_PULL;
}

function scaled(prior: StepTimeCoefficients, logs: readonly number[]): StepTimeCoefficients {
  const coefficients = { ...prior };
  for (const [term, group, deviation] of TERMS) coefficients[term] *= Math.exp(logs[group]! + logs[deviation]!);
  return coefficients;
}

/** Logarithms make twice too slow and twice too fast equally wrong, and a far-off prior's way to the optimum a short one. */
function logError(coefficients: StepTimeCoefficients, sample: CalibrationSample): number {
  return Math.log(predictedMs(coefficients, sample) / measuredMs(sample));
}

function predictedMs(coefficients: StepTimeCoefficients, sample: CalibrationSample): number {
  return sample.kind === 'prefill'
    ? prefillMs(coefficients, sample.inputTokens)
    : decodeStepMs(coefficients, sample.sequences, sample.contextTokens);
}

function measuredMs(sample: CalibrationSample): number {
  return sample.kind === 'prefill' ? sample.ms : sample.msPerStep;
}

function isUsable(sample: CalibrationSample): boolean {
  const counts = sample.kind === 'prefill' ? [sample.inputTokens] : [sample.sequences, sample.contextTokens];
  return [measuredMs(sample), ...counts].every((value) => Number.isFinite(value) && value > 0);
}
