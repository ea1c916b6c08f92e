/**
 * Ridge regression on sketches, by conjugate gradients: dense features and words together, towards an expectation that is given. A few
 * dozen passes over the rows; nothing is kept between calls.
 */
import type { TextPrior } from './prior.ts';
import { DENSE_FEATURES, type TextSketch, WORD_BUCKETS } from './sketch.ts';
import { denseScale } from './text-head.ts';

export interface RidgeRow {
  sketch: TextSketch;
  /** What is left to explain. */
  target: number;
  /** Above 0; 1 for an ordinary row. */
  weight: number;
}

export interface RidgeFit {
  /** Weights for the dense features as they stand in a sketch, and the constant that belongs to them. */
  bias: number;
  dense: number[];
  words: Float64Array;
}

const ITERATIONS = 40;
const TOLERANCE = 1e-4;
const COLUMNS = DENSE_FEATURES + WORD_BUCKETS;

/**
 * @param penalty against one row
 * @param useWords false leaves the words at 0
 */
export function fitRidge(rows: readonly RidgeRow[], prior: TextPrior, penalty: number, useWords: boolean): RidgeFit {
  const scale = Array.from({ length: DENSE_FEATURES }, (_, i) => denseScale(i, prior));
  const dense = rows.map(({ sketch }) => Float64Array.from(sketch.dense, (value, i) => (value - prior.mean[i]!) * scale[i]!));
  const norms = rows.map(({ sketch }) => (useWords && sketch.buckets.length > 0 ? 1 / Math.sqrt(sketch.buckets.length) : 0));

  /** Rows times a vector. */
  const times = (vector: Float64Array, r: number): number => {
    const values = dense[r]!;
    let sum = 0;
    for (let i = 0; i < DENSE_FEATURES; i++) sum += values[i]! * vector[i]!;
    const norm = norms[r]!;
    if (norm === 0) return sum;
    const { buckets } = rows[r]!.sketch;
    let words = 0;
    for (let i = 0; i < buckets.length; i++) words += vector[DENSE_FEATURES + buckets[i]!]!;
    return sum + words * norm;
  };
  const addTimes = (into: Float64Array, r: number, factor: number): void => {
    const values = dense[r]!;
    for (let i = 0; i < DENSE_FEATURES; i++) into[i]! += factor * values[i]!;
    const norm = norms[r]! * factor;
    if (norm === 0) return;
    const { buckets } = rows[r]!.sketch;
    for (let i = 0; i < buckets.length; i++) into[DENSE_FEATURES + buckets[i]!]! += norm;
  };

  const solution = new Float64Array(COLUMNS);
  const residual = new Float64Array(COLUMNS);
  rows.forEach(({ target, weight }, r) => {
    addTimes(residual, r, weight * target);
  });
  const direction = Float64Array.from(residual);
  let size = dotOf(residual, residual);
  const enough = size * TOLERANCE ** 2;
  for (let iteration = 0; iteration < ITERATIONS && size > enough; iteration++) {
    const image = direction.map((value) => value * penalty);
    rows.forEach(({ weight }, r) => {
      addTimes(image, r, weight * times(direction, r));
    });
    const step = size / dotOf(direction, image);
    for (let i = 0; i < COLUMNS; i++) {
      solution[i]! += step * direction[i]!;
      residual[i]! -= step * image[i]!;
    }
    const next = dotOf(residual, residual);
    const keep = next / size;
    for (let i = 0; i < COLUMNS; i++) direction[i] = residual[i]! + keep * direction[i]!;
    size = next;
  }
  const weights = scale.map((factor, i) => solution[i]! * factor);
  return {
    bias: -weights.reduce((sum, weight, i) => sum + weight * prior.mean[i]!, 0),
    dense: weights,
    words: solution.slice(DENSE_FEATURES),
  };
}

/** What a fit says of a sketch. */
export function ridgeValue({ bias, dense, words }: RidgeFit, sketch: TextSketch): number {
  const numbers = dense.reduce((sum, weight, i) => sum + weight * sketch.dense[i]!, bias);
  let sum = 0;
  for (const bucket of sketch.buckets) sum += words[bucket]!;
  return numbers + sum / Math.sqrt(Math.max(1, sketch.buckets.length));
}

function dotOf(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
