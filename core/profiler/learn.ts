/**
 * Learning from observations, one at a time and each only after it was predicted: a robust least-squares step for the expectation of
 * ln(output tokens), and stochastic steps that hold the share of answers below each predicted quantile at that quantile, whatever the
 * distribution (online conformal calibration: Gibbs and Candès, arXiv 2106.00170).
 */
import { NOT_LEARNED_FROM, type Observation } from '../domain/observation.ts';
import { classBucket, moveClass } from './classes.ts';
import { detectDrift } from './drift.ts';
import { encodeFeatures, FEATURE_COUNT, INPUT_FEATURES, isClassFeature, type RequestFeatures } from './features.ts';
import { expectedLog, MAX_TOKENS, predictFrom } from './predict.ts';
import { updateWeights, varianceAt } from './recursive-least-squares.ts';
import { updateScore } from './scores.ts';
import { copyOf, headFrom, loosenLevel, type OutputHead, type ProfilerSnapshot, priorVariance } from './snapshot.ts';
import { loosenLevels, moveLevel, noiseOf, settleTenant, spreadOf, tenantBucket } from './tenants.ts';

/** What is learned from of an observation, with its place in the order of arrival. */
export type StoredObservation = RequestFeatures &
  Pick<Observation, 'requestId' | 'outcome' | 'outputTokens' | 'featureKey'> & { id: number };

/** Why observations of a batch taught nothing. */
export interface Skipped {
  /** Seen before: an id at or below `trainedThroughId`, or a request id twice in the batch. */
  duplicate: number;
  /** Failed or shed, or the engine did not say how long the answer was. */
  unmeasured: number;
  /** Lengths that no engine serves: negative, zero, or beyond a million tokens. */
  absurd: number;
  /** Its tenant has features off. */
  private: number;
  /** Cancelled before it was longer than predicted: the full length would have been anybody's guess. */
  censored: number;
}

export interface Learned {
  snapshot: ProfilerSnapshot;
  learned: number;
  skipped: Skipped;
}

/** Models beyond this many share one head, so that a snapshot stays small. */
const MAX_MODELS = 200;
/** A residual counts as no more than this many times the usual one: a few absurd answers must not carry the rest along. */
const MAX_SURPRISE = 4;
/** Running means look back over about this many observations. */
const WINDOW = 1000;
/** What a head starts with weighs like this many observations in them. */
const PRIOR_OBSERVATIONS = 20;
/** A quantile known from few answers is unsure, and covers less than it should: so much higher is aimed then, over the root of their number. */
const CAUTION = 0.45;
/** Share of a quantile's step that all input lengths take. */
const TOGETHER = 0.9;
/** A tenant's own share of it, where all input lengths have 1. */
const OWN = 3;
/** After a change quantiles are held to be known as from so many observations. */
const KNOWN_AT_CHANGE = 50;
/** Keeps a model whose answers all have one length able to learn that they no longer do. */
const MIN_RESIDUAL_SCALE = 0.02;

/**
 * Learns from a batch in the order of its ids. `snapshot` is left as it is; the result keeps its version and shares the heads of models
 * that the batch does not mention.
 */
export function learn(snapshot: ProfilerSnapshot, batch: readonly StoredObservation[]): Learned {
  const models = new Map(Object.entries(snapshot.models));
  const shared = copyOf(snapshot.shared);
  const shape: Shape = { offset90: [...snapshot.shape90], usual: [...snapshot.usual] };
  const copied = new Set<string>();
  const requestIds = new Set<string>();
  const skipped: Skipped = { duplicate: 0, unmeasured: 0, absurd: 0, private: 0, censored: 0 };
  let trainedThroughId = snapshot.trainedThroughId;
  let learned = 0;

  const ownHead = (model: string): OutputHead | null => {
    const known = models.get(model);
    if (known && copied.has(model)) return known;
    if (!known && models.size >= MAX_MODELS) return null;
    const head = known ? copyOf(known) : headFrom(shared);
    models.set(model, head);
    copied.add(model);
    return head;
  };

  for (const observation of [...batch].sort((a, b) => a.id - b.id)) {
    const isNew = observation.id > trainedThroughId && !requestIds.has(observation.requestId);
    trainedThroughId = Math.max(trainedThroughId, observation.id);
    requestIds.add(observation.requestId);
    const taught = isNew ? lesson(observation) : 'duplicate';
    if (typeof taught === 'string') {
      skipped[taught]++;
      continue;
    }
    const own = ownHead(observation.model);
    const sharedLearned = learnOne(shared, shared, shape, taught);
    if (own ? learnOne(own, shared, shape, taught) : sharedLearned) learned++;
    else skipped.censored++;
  }
  return {
    snapshot: { ...snapshot, trainedThroughId, shape90: shape.offset90, usual: shape.usual, shared, models: Object.fromEntries(models) },
    learned,
    skipped,
  };
}

/** What all models have in common of how far answers scatter; learned in place. */
interface Shape {
  offset90: number[];
  usual: number[];
}

export interface Lesson {
  of: StoredObservation;
  x: readonly number[];
  outputTokens: number;
  maxTokens: number | null;
  /** The client left before the answer ended: it would have had at least `outputTokens`. */
  lowerBound: boolean;
}

const scratch = new Array<number>(FEATURE_COUNT).fill(0);

/** What an observation teaches, or why it teaches nothing. Its `x` is good until the next call. */
export function lesson(o: StoredObservation): Lesson | keyof Skipped {
  if (o.featureKey === NOT_LEARNED_FROM) return 'private';
  if ((o.outcome !== 'ok' && o.outcome !== 'cancelled') || o.outputTokens === null) return 'unmeasured';
  const lowerBound = o.outcome === 'cancelled';
  if (lowerBound && o.outputTokens === 0) return 'censored';
  if (!isLength(o.inputTokens) || !isLength(o.outputTokens) || (o.maxTokens !== null && o.maxTokens < 1)) return 'absurd';
  // What an engine counts beyond the client's limit was not asked for: no prediction reaches there, however far it were raised.
  const outputTokens = Math.min(o.outputTokens, o.maxTokens ?? MAX_TOKENS);
  return { of: o, x: encodeFeatures(o, scratch), outputTokens, maxTokens: o.maxTokens, lowerBound };
}

/** One that an engine may serve. */
export function isLength(tokens: number): boolean {
  return tokens >= 1 && tokens <= MAX_TOKENS;
}

/** One step of one head, in place; of a model's own head the shape that all models share takes one as well. @returns false where a cancelled request tells nothing */
function learnOne(head: OutputHead, shared: OutputHead, shape: Shape, { of, x, outputTokens, maxTokens, lowerBound }: Lesson): boolean {
  const { tenants } = head;
  const bucket = tenantBucket(of.tenant);
  const ofClass = classBucket(of.class);
  const expected = expectedLog(head, shared, of, x, bucket);
  const predicted = predictFrom(head, shape.offset90, expected, x, bucket, ofClass, maxTokens);
  if (lowerBound && outputTokens <= predicted.p50) return false;
  settleTenant(tenants, bucket, head.observations);
  head.observations++;
  if (!lowerBound) updateScore(head.score, outputTokens, predicted);

  // An answer that reached the client's limit was predicted right by any expectation beyond that limit.
  const expectation = Math.min(expected, Math.log(Math.min(MAX_TOKENS, maxTokens ?? MAX_TOKENS)));
  const unexplained = Math.max(lowerBound ? 0 : Number.NEGATIVE_INFINITY, Math.log(outputTokens) - expectation);
  // What is usual for a tenant that scatters more than others is no sign of a change.
  const ownScale = Math.max(head.residualScale, spreadOf(tenants, bucket));
  const residual = within(unexplained, MAX_SURPRISE * head.residualScale);
  // Of an unpredictable tenant little is concluded about the others.
  const noise = noiseOf(tenants, bucket, unexplained);
  if (noise === 1 && detectDrift(head, residual, ownScale)) {
    loosenLevel(head.covariance);
    loosenLevels(tenants);
  }

  const step = quantileStep(head);
  const ownStep = (step * ownScale) / head.residualScale;
  const aim = 0.9 + CAUTION / Math.sqrt(head.observations + 100);
  const direction50 = outputTokens <= predicted.p50 ? -0.5 : 0.5;
  const direction90 = outputTokens > predicted.p90 ? aim : lowerBound ? 0 : aim - 1;
  tenants.offset50[bucket]! += ownStep * moveQuantile(head.offset50, x, step / noise, direction50);
  if (head !== shared) moveShape(shape, x, shared.observations, (shapeStep(shared) * head.residualScale * direction90) / noise);
  tenants.offset90[bucket]! += ownStep * moveQuantile(head.offset90, x, step / noise, direction90);
  moveClass(head.classes, ofClass, (head.residualScale * direction90) / noise, head.observations);

  const pace = 1 / (noise * Math.min(head.observations + PRIOR_OBSERVATIONS, WINDOW));
  head.residualScale = Math.max(MIN_RESIDUAL_SCALE, head.residualScale + pace * (Math.abs(residual) - head.residualScale));
  head.meanFitted += pace * (Math.exp(expectation) - head.meanFitted);
  head.meanOutput += pace * (Math.exp(expectation + residual) - head.meanOutput);
  const ownVariance = tenants.variance[bucket]!;
  moveLevel(tenants, bucket, residual, 1 + varianceAt(head.covariance, x));
  updateWeights(head.weights, head.covariance, x, residual, priorVariance, noise + ownVariance);
  return true;
}

/** Large at first, then small but never 0, so that a change of traffic is followed. In units of ln(tokens). */
function quantileStep(head: OutputHead): number {
  const known = head.drift && head.drift.sinceChange < head.observations ? head.drift.sinceChange + KNOWN_AT_CHANGE : head.observations;
  return head.residualScale * Math.max(0.03, 1 / Math.sqrt(known + 4));
}

/** Steps of the shape are small from the start: it is no place to follow a change of one model's answers. In units of a residual. */
function shapeStep(shared: OutputHead): number {
  return 0.5 * Math.max(0.01, 1 / Math.sqrt(shared.observations + 100));
}

/** In place, and only as far as the request is unlike the usual one: where all are alike there is no shape to learn. */
function moveShape({ offset90, usual }: Shape, x: readonly number[], seen: number, step: number): void {
  const pace = 1 / Math.min(seen, WINDOW);
  for (let i = 0; i < offset90.length; i++) {
    usual[i]! += pace * (x[i]! - usual[i]!);
    if (i < INPUT_FEATURES || isClassFeature(i)) offset90[i]! += step * (x[i]! - usual[i]!);
  }
}

/**
 * Moves a quantile at `x` by `step * direction`, but for the tenant's part of it. Mostly for all input lengths together: moved for each stretch
 * apart, the steps of a few answers would make one stretch look longer than its neighbour.
 * @returns the direction for the tenant's part, to be multiplied by a step
 */
function moveQuantile(offset: number[], x: readonly number[], step: number, direction: number): number {
  const along = (i: number) => (i < INPUT_FEATURES ? TOGETHER + (1 - TOGETHER) * x[i]! : x[i]!);
  let size = OWN;
  for (let i = 0; i < offset.length; i++) size += along(i) * x[i]!;
  const scale = (step * direction) / size;
  for (let i = 0; i < offset.length; i++) offset[i]! += scale * along(i);
  return (OWN * direction) / size;
}

function within(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
