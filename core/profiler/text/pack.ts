/** A sketch as bytes, for the observation that carries it: one byte of layout, the numbers, a bit for each cue, the buckets. Little-endian. */
import { DENSE_FEATURES, MAX_BUCKETS, NUMBERS, type TextSketch, WORD_BUCKETS } from './sketch.ts';

const LAYOUT = 1;
const CUE_BITS = DENSE_FEATURES - NUMBERS;
const CUES_AT = 1 + 4 * NUMBERS;
const BUCKETS_AT = CUES_AT + Math.ceil(CUE_BITS / 8);

/** Logarithms, counts, and means over the window of a prompt: no request has more. One that did would count as much as a million others. */
const MOST_NUMBER = 4096;

export function packSketch({ dense, buckets }: TextSketch): Uint8Array {
  const bytes = new Uint8Array(BUCKETS_AT + 2 * buckets.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = LAYOUT;
  for (let i = 0; i < NUMBERS; i++) view.setFloat32(1 + 4 * i, dense[i]!, true);
  for (let i = 0; i < CUE_BITS; i++) if (dense[NUMBERS + i] !== 0) bytes[CUES_AT + (i >> 3)]! |= 1 << (i & 7);
  for (let i = 0; i < buckets.length; i++) view.setUint16(BUCKETS_AT + 2 * i, buckets[i]!, true);
  return bytes;
}

/** @returns null for what is no sketch of this layout: it is learned from without its text */
export function unpackSketch(bytes: Uint8Array, keyId: string): TextSketch | null {
  const count = (bytes.length - BUCKETS_AT) / 2;
  if (bytes[0] !== LAYOUT || !Number.isInteger(count) || count < 0 || count > MAX_BUCKETS) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const dense = new Float32Array(DENSE_FEATURES);
  for (let i = 0; i < NUMBERS; i++) dense[i] = view.getFloat32(1 + 4 * i, true);
  for (let i = 0; i < CUE_BITS; i++) dense[NUMBERS + i] = (bytes[CUES_AT + (i >> 3)]! >> (i & 7)) & 1;
  const buckets = new Uint16Array(count);
  for (let i = 0; i < count; i++) buckets[i] = view.getUint16(BUCKETS_AT + 2 * i, true);
  return dense.every((value) => Math.abs(value) <= MOST_NUMBER) && buckets.every((bucket) => bucket < WORD_BUCKETS)
    ? { keyId, dense, buckets }
    : null;
}
