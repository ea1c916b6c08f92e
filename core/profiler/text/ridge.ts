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

/**
 * @param penalty against one row
 * @param useWords false leaves the words at 0
 */
export function fitRidge(rows: readonly RidgeRow[], prior: TextPrior, penalty: number, useWords: boolean): RidgeFit {
  const scale = Array.from({ length: DENSE_FEATURES }, (_, i) => denseScale(i, prior));
  const { dense, columns, ends, norms, bucketOf } = layOut(rows, prior, scale, useWords);

  /** Rows times a vector, each times its weight: added to `into` as the rows' transpose has it. */
  const addProduct = (into: Float64Array, vector: Float64Array): void => {
    for (let r = 0; r < rows.length; r++) addTimes(into, r, rows[r]!.weight * times(vector, r));
  };
  const times = (vector: Float64Array, r: number): number => {
    let sum = 0;
    for (let i = 0, k = r * DENSE_FEATURES; i < DENSE_FEATURES; i++, k++) sum += dense[k]! * vector[i]!;
    let words = 0;
    for (let k = ends[r]!, to = ends[r + 1]!; k < to; k++) words += vector[columns[k]!]!;
    return sum + words * norms[r]!;
  };
  const addTimes = (into: Float64Array, r: number, factor: number): void => {
    for (let i = 0, k = r * DENSE_FEATURES; i < DENSE_FEATURES; i++, k++) into[i]! += factor * dense[k]!;
    const norm = norms[r]! * factor;
    for (let k = ends[r]!, to = ends[r + 1]!; k < to; k++) into[columns[k]!]! += norm;
  };

  const size = DENSE_FEATURES + bucketOf.length;
  const solution = new Float64Array(size);
  const residual = new Float64Array(size);
  for (let r = 0; r < rows.length; r++) addTimes(residual, r, rows[r]!.weight * rows[r]!.target);
  const direction = Float64Array.from(residual);
  const image = new Float64Array(size);
  let length = dotOf(residual, residual);
  const enough = length * TOLERANCE ** 2;
  for (let iteration = 0; iteration < ITERATIONS && length > enough; iteration++) {
    for (let i = 0; i < size; i++) image[i] = direction[i]! * penalty;
    addProduct(image, direction);
    const step = length / dotOf(direction, image);
    for (let i = 0; i < size; i++) {
      solution[i]! += step * direction[i]!;
      residual[i]! -= step * image[i]!;
    }
    const next = dotOf(residual, residual);
    const keep = next / length;
    for (let i = 0; i < size; i++) direction[i] = residual[i]! + keep * direction[i]!;
    length = next;
  }
  const weights = scale.map((factor, i) => solution[i]! * factor);
  const words = new Float64Array(WORD_BUCKETS);
  for (let i = 0; i < bucketOf.length; i++) words[bucketOf[i]!] = solution[DENSE_FEATURES + i]!;
  return { bias: -weights.reduce((sum, weight, i) => sum + weight * prior.mean[i]!, 0), dense: weights, words };
}

/** The rows one after the other in a few arrays. Only buckets that occur have a column: all others stay at 0. */
function layOut(rows: readonly RidgeRow[], prior: TextPrior, scale: readonly number[], useWords: boolean) {
  const dense = new Float64Array(rows.length * DENSE_FEATURES);
  const norms = new Float64Array(rows.length);
  const ends = new Int32Array(rows.length + 1);
  for (let r = 0; r < rows.length; r++) {
    const { dense: values, buckets } = rows[r]!.sketch;
    for (let i = 0; i < DENSE_FEATURES; i++) dense[r * DENSE_FEATURES + i] = (values[i]! - prior.mean[i]!) * scale[i]!;
    const words = useWords ? buckets.length : 0;
    norms[r] = words > 0 ? 1 / Math.sqrt(words) : 0;
    ends[r + 1] = ends[r]! + words;
  }
  const columnOf = new Int32Array(WORD_BUCKETS);
  const bucketOf: number[] = [];
  const columns = new Int32Array(ends[rows.length]!);
  for (let r = 0, k = 0; r < rows.length && useWords; r++) {
    for (const bucket of rows[r]!.sketch.buckets) {
      if (columnOf[bucket] === 0) columnOf[bucket] = DENSE_FEATURES + bucketOf.push(bucket) - 1;
      columns[k++] = columnOf[bucket]!;
    }
  }
  return { dense, norms, ends, columns, bucketOf };
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
