/** From a request to numbers: lengths, limits, and which bucket a name falls into. `text/` has what the prompt's words tell. */
import type { TextSketch } from './text/sketch.ts';

/** What is known of a request when it arrives. */
export interface RequestFeatures {
  model: string;
  class: string;
  tenant: string;
  inputTokens: number;
  /** The client's own limit on the answer; null where it gave none. */
  maxTokens: number | null;
  streamed: boolean;
  /** null or absent where the text may not be looked at, or was not. */
  text?: TextSketch | null;
}

/**
 * Knots of a piecewise linear function of log2(input tokens). Output length is no straight line of input length: short prompts
 * ask for prose, middling ones carry a template, long ones carry documents to condense.
 */
const INPUT_KNOTS = [4, 6, 7, 8, 9, 10, 11, 12, 14] as const;
const CLASS_BUCKETS = 4;

const HAS_LIMIT = INPUT_KNOTS.length;
const LOG_LIMIT = HAS_LIMIT + 1;
const STREAMED = LOG_LIMIT + 1;
const CLASS = STREAMED + 1;

/** Length of a feature vector. The first entries are the input's hat functions: they sum to 1 and so hold the intercept. */
export const FEATURE_COUNT = CLASS + CLASS_BUCKETS;
export const INPUT_FEATURES = INPUT_KNOTS.length;

/** Where a class's own feature is. Few buckets: classes may share one. */
export const classFeature = (name: string): number => CLASS + bucketOf(name, CLASS_BUCKETS);

export const isClassFeature = (index: number): boolean => index >= CLASS;

/** Writes the features of a request into `into`, a vector of `FEATURE_COUNT` numbers, and returns it. */
export function encodeFeatures(request: RequestFeatures, into: number[]): number[] {
  into.fill(0);
  encodeInput(Math.log2(Math.max(1, request.inputTokens)), into);
  if (request.maxTokens !== null) {
    into[HAS_LIMIT] = 1;
    into[LOG_LIMIT] = Math.log2(Math.max(1, request.maxTokens)) / 10 - 1; // 0 at 1,024 tokens
  }
  into[STREAMED] = request.streamed ? 1 : 0;
  into[classFeature(request.class)] = 1;
  return into;
}

/** Linear interpolation between the two knots around `x`: at most two entries are not 0, and they sum to 1. */
function encodeInput(x: number, into: number[]): void {
  const last = INPUT_KNOTS.length - 1;
  if (x <= INPUT_KNOTS[0]) {
    into[0] = 1;
    return;
  }
  for (let i = 0; i < last; i++) {
    const left = INPUT_KNOTS[i]!;
    const right = INPUT_KNOTS[i + 1]!;
    if (x <= right) {
      into[i + 1] = (x - left) / (right - left);
      into[i] = 1 - into[i + 1]!;
      return;
    }
  }
  into[last] = 1;
}

/** FNV-1a with a final mix (murmur3's), so that short names spread. */
export function bucketOf(name: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % buckets;
}
