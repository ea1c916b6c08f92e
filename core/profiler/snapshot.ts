/**
 * The profiler: what a request will cost. `predict.ts` says how many tokens an answer will take, from a snapshot that `learn.ts`
 * improves with every observation; `calibrate.ts` fits an engine's step time to what a fresh replica measured; `shapes.ts` puts
 * memory and step time of a model side by side for every accelerator. All pure: the service in `profiler/` trains and publishes,
 * gateways predict in their own process.
 *
 * A snapshot is plain JSON and whole: the learner goes on from it as if it had never stopped.
 */
import { z } from 'zod';
import { classesSchema, noClasses } from './classes.ts';
import { FEATURE_COUNT, INPUT_FEATURES } from './features.ts';
import { COVARIANCE_LENGTH, packedIndex } from './recursive-least-squares.ts';
import { noTenants, tenantsFrom, tenantsSchema } from './tenants.ts';
import { PUBLISHED_PRIOR } from './text/published-prior.ts';
import { textHeadFrom, textHeadSchema } from './text/text-head.ts';

const vector = (length: number) => z.array(z.number()).length(length);
const flat = () => new Array<number>(FEATURE_COUNT).fill(0);

/** How predictions fared when they were made, each before its answer was learned from. Means over about the last 2,000. */
export const scoreSchema = z.object({
  observations: z.number().int().nonnegative(),
  /** Mean absolute error of the predicted median, tokens. */
  maeTokens: z.number().nonnegative(),
  /** The same for a constant: the running median of all answers so far. */
  maeConstantMedianTokens: z.number().nonnegative(),
  /** Share of answers no longer than the predicted p90, 0 to 1. */
  coverage90: z.number().min(0).max(1),
  /** The running median itself, ln tokens. */
  logMedian: z.number(),
});
export type Score = z.infer<typeof scoreSchema>;

/** Cumulative sums of standardised residuals beyond a tolerance, upwards and downwards (Page's test), and what it led to. */
export const driftSchema = z.object({
  longer: z.number().nonnegative(),
  shorter: z.number().nonnegative(),
  /** Observations since the answers last changed: how fast the quantiles follow. */
  sinceChange: z.number().int().nonnegative(),
  /** Changes noticed so far. */
  changes: z.number().int().nonnegative(),
});
export type Drift = z.infer<typeof driftSchema>;

/** One model's answers: a linear function of the features for ln(output tokens), and what lies around it. */
export const outputHeadSchema = z.object({
  observations: z.number().int().nonnegative(),
  /** Expectation of ln(output tokens) per feature. */
  weights: vector(FEATURE_COUNT),
  /** How unsure the weights are: covariance over noise variance, upper triangle by rows. */
  covariance: vector(COVARIANCE_LENGTH),
  /** From the expectation to the quantile, per feature. */
  offset50: vector(FEATURE_COUNT),
  offset90: vector(FEATURE_COUNT),
  /** Mean absolute residual of ln(output tokens). */
  residualScale: z.number().positive(),
  /** Mean output tokens, and mean of exp(expectation): their ratio turns one into the other (above 1, as lengths are skewed). */
  meanOutput: z.number().positive(),
  meanFitted: z.number().positive(),
  score: scoreSchema,
  /** What the prompt's text adds; absent where the shared head's serves, and in snapshots of releases that did not look at it. */
  text: textHeadSchema.optional(),
  /** Evidence that the answers have changed; absent where there is none yet. */
  drift: driftSchema.optional(),
  tenants: tenantsSchema,
  /** Absent from snapshots of earlier releases. */
  classes: classesSchema.default(() => noClasses()),
});
export type OutputHead = z.infer<typeof outputHeadSchema>;

export const profilerSnapshotSchema = z.object({
  /** Layout of this document and of the features; a snapshot of another layout is not read but learned anew. */
  layout: z.literal(2),
  /** Rises with every publication; 0 is the cold start. */
  version: z.number().int().nonnegative(),
  /** Id of the last observation that it has learned from. */
  trainedThroughId: z.number().int().nonnegative(),
  /** Ids of observations that a rollback took back, from the one after `after` to `through`: nobody learns from them again. The oldest first. */
  forgotten: z.array(z.object({ after: z.number().int(), through: z.number().int() })),
  /**
   * What a stretch of input lengths and a class add to every model's offset90, per feature: how far answers scatter by what is asked is much
   * the same for all models, and no model alone has enough answers of each stretch to tell. Absent from snapshots of earlier releases.
   */
  shape90: vector(FEATURE_COUNT).default(() => flat()),
  /** The usual request: mean of the features over about the last 1,000. What all requests have is no matter of the shape. */
  usual: vector(FEATURE_COUNT).default(() => flat()),
  /** What all models have in common: predicts for unknown models, and is where a new model's own head starts from. */
  shared: outputHeadSchema,
  models: z.record(z.string(), outputHeadSchema),
});
export type ProfilerSnapshot = z.infer<typeof profilerSnapshotSchema>;

/**
 * Answers before anything was observed: median 129 tokens, mean 211, p90 424, whatever the input.
 * Source: Azure LLM inference trace 2023, conversation (Azure/AzurePublicDataset, CC-BY-4.0).
 */
const COLD_START = { medianTokens: 129, meanTokens: 211, p90Tokens: 424, logDeviation: 0.73 };

/**
 * Uncertainty before anything was observed, in units of the noise: of the level, of how far each stretch of input lengths departs from it,
 * and of a limit's or a name's effect.
 */
const PRIOR_VARIANCE = { level: 1, input: 0.1, other: 0.25 };

/** The level then follows the next answers by about a sixth of each. */
const LEVEL_VARIANCE_AT_CHANGE = 0.2;

function coldStartHead(): OutputHead {
  const onInputs = (value: number) => Array.from({ length: FEATURE_COUNT }, (_, i) => (i < INPUT_FEATURES ? value : 0));
  return {
    observations: 0,
    weights: onInputs(Math.log(COLD_START.medianTokens)),
    covariance: priorCovariance(),
    offset50: onInputs(0),
    offset90: onInputs(Math.log(COLD_START.p90Tokens / COLD_START.medianTokens)),
    residualScale: COLD_START.logDeviation,
    meanOutput: COLD_START.meanTokens,
    meanFitted: COLD_START.medianTokens,
    score: unscored(Math.log(COLD_START.medianTokens)),
    text: textHeadFrom(PUBLISHED_PRIOR),
    tenants: noTenants(),
    classes: noClasses(),
  };
}

/** Version 0: published constants, nothing learned. */
export const COLD_START_SNAPSHOT: ProfilerSnapshot = {
  layout: 2,
  version: 0,
  trainedThroughId: 0,
  forgotten: [],
  shape90: flat(),
  usual: flat(),
  shared: coldStartHead(),
  models: {},
};

/** A head to be learned with, in place. Its text part is not: that is replaced as a whole, and serves both. */
export function copyOf({ text, ...head }: OutputHead): OutputHead {
  return { ...structuredClone(head), ...(text && { text }) };
}

/** A new model's head: what `shared` knows, held as loosely as if nothing had been seen, scored from zero. */
export function headFrom(shared: OutputHead): OutputHead {
  const { drift: _drift, tenants, text: _text, ...rest } = shared;
  return {
    ...structuredClone(rest),
    observations: 0,
    covariance: priorCovariance(),
    score: unscored(shared.score.logMedian),
    tenants: tenantsFrom(tenants),
    classes: noClasses(),
  };
}

export function priorVariance(feature: number): number {
  return feature < INPUT_FEATURES ? PRIOR_VARIANCE.level + PRIOR_VARIANCE.input : PRIOR_VARIANCE.other;
}

/** What a change of the answers leaves unsure: their level, much less than at first; what lengths and names tell of them stays. In place. */
export function loosenLevel(covariance: number[]): void {
  for (let i = 0; i < INPUT_FEATURES; i++)
    for (let j = i; j < INPUT_FEATURES; j++) covariance[packedIndex(i, j)]! += LEVEL_VARIANCE_AT_CHANGE;
}

export function priorCovariance(): number[] {
  const covariance = new Array<number>(COVARIANCE_LENGTH).fill(0);
  for (let i = 0; i < FEATURE_COUNT; i++) {
    covariance[packedIndex(i, i)] = priorVariance(i);
    for (let j = i + 1; j < INPUT_FEATURES; j++) covariance[packedIndex(i, j)] = PRIOR_VARIANCE.level;
  }
  return covariance;
}

function unscored(logMedian: number): Score {
  return { observations: 0, maeTokens: 0, maeConstantMedianTokens: 0, coverage90: 0, logMedian };
}

/** The head that predicts for a model. Own properties only: a model may be called `constructor`. */
export function headOf(snapshot: ProfilerSnapshot, model: string): OutputHead {
  return Object.hasOwn(snapshot.models, model) ? snapshot.models[model]! : snapshot.shared;
}
