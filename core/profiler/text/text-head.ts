/**
 * How much longer an answer is than lengths alone make one expect, from a sketch of the prompt: a linear function for ln(output tokens). Its
 * dense part (numbers and cues) means the same everywhere and begins with published constants; its words are of one key.
 */
import { z } from 'zod';
import type { TextPrior } from './prior.ts';
import { DENSE_FEATURES, NUMBERS, type TextSketch, WORD_BUCKETS } from './sketch.ts';

export const textHeadSchema = z.object({
  /** Key of the words; '' where none were learned yet. */
  keyId: z.string(),
  bias: z.number(),
  dense: z.array(z.number()).length(DENSE_FEATURES),
  /** A weight for each bucket: 16-bit integers in base64, little-endian, in units of `wordUnit`. */
  words: z.string().regex(/^[A-Za-z0-9+/]*=*$/),
  wordUnit: z.number().nonnegative(),
});
export type TextHead = z.infer<typeof textHeadSchema>;

/** No text makes an answer longer or shorter than by this, in ln(tokens): prompts unlike all that were seen are not extrapolated to. */
const MAX_ADJUSTMENT = 1.5;

/** Standardised features are multiplied by these, so that one ridge penalty fits them and the words, whose vectors have length 1. */
const SCALES = { number: 0.1, cue: 0.05 };
/** A cue that was hardly ever there does not become a large number when it is. */
const LEAST_DEVIATION = 0.1;

export const denseScale = (feature: number, prior: TextPrior): number =>
  (feature < NUMBERS ? SCALES.number : SCALES.cue) / Math.max(LEAST_DEVIATION, prior.deviation[feature]!);

export function textHeadFrom(prior: TextPrior): TextHead {
  const bias = -prior.weights.reduce((sum, weight, i) => sum + weight * prior.mean[i]!, 0);
  return { keyId: '', bias, dense: [...prior.weights], words: '', wordUnit: 0 };
}

/** To be added to the expected ln(output tokens). */
export function textAdjustment(head: TextHead, { keyId, dense, buckets }: TextSketch): number {
  // From 0: a sum that begins with a field's value stays an object, one more for each feature.
  let sum = 0;
  for (let i = 0; i < DENSE_FEATURES; i++) sum += head.dense[i]! * dense[i]!;
  sum += head.bias;
  if (head.keyId === keyId && buckets.length > 0) {
    const weights = wordWeights(head);
    let words = 0;
    for (let i = 0; i < buckets.length; i++) words += weights[buckets[i]!]!;
    sum += (words * head.wordUnit) / Math.sqrt(buckets.length);
  }
  return Math.max(-MAX_ADJUSTMENT, Math.min(MAX_ADJUSTMENT, sum));
}

const NO_WEIGHTS = new Int16Array(WORD_BUCKETS);
const decoded = new WeakMap<TextHead, Int16Array>();

function wordWeights(head: TextHead): Int16Array {
  const known = decoded.get(head);
  if (known) return known;
  // Number by number it would take a request that comes after a publication a millisecond.
  const bytes = Uint8Array.from(Buffer.from(head.words, 'base64'));
  const weights = bytes.length === 2 * WORD_BUCKETS ? new Int16Array(bytes.buffer) : NO_WEIGHTS;
  decoded.set(head, weights);
  return weights;
}

/** @param weights one for each bucket */
export function packWords(weights: ArrayLike<number>): Pick<TextHead, 'words' | 'wordUnit'> {
  let largest = 0;
  for (let i = 0; i < WORD_BUCKETS; i++) largest = Math.max(largest, Math.abs(weights[i]!));
  const wordUnit = largest / 32_767;
  const bytes = Buffer.alloc(2 * WORD_BUCKETS);
  if (wordUnit > 0) for (let i = 0; i < WORD_BUCKETS; i++) bytes.writeInt16LE(Math.round(weights[i]! / wordUnit), 2 * i);
  return { words: bytes.toString('base64'), wordUnit };
}
