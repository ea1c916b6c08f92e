/**
 * A short keyed hash: HalfSipHash-1-3 (64-bit key, 32-bit result) over UTF-16 code units, little-endian. Without the key nobody can tell
 * which word a hash stands for by trying words. Source: Aumasson and Bernstein, https://github.com/veorq/SipHash
 */

/** 64 bits as two halves of 32. */
export interface HashKey {
  k0: number;
  k1: number;
}

const FINAL_ROUNDS = 3;

/**
 * Hashes `units[from, to)`. Allocates nothing.
 * @returns an unsigned 32-bit number
 */
export function halfSipHash(units: Uint16Array, from: number, to: number, { k0, k1 }: HashKey): number {
  const length = to - from;
  // Blocks of two units; the last one carries the length in bytes and, of an odd number of units, the one left over.
  const blocks = (length >> 1) + 1;
  let v0 = k0;
  let v1 = k1;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656462;
  for (let i = 0, at = from; i < blocks + FINAL_ROUNDS; i++, at += 2) {
    let block = 0;
    if (i < blocks - 1) block = units[at]! | (units[at + 1]! << 16);
    else if (i < blocks) block = ((length << 1) << 24) | (at < to ? units[at]! : 0);
    else if (i === blocks) v2 ^= 0xff;
    v3 ^= block;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= block;
  }
  return (v1 ^ v3) >>> 0;
}

/** Of two words in a row, each hashed with the key before: murmur3's mixing. */
export function hashPair(first: number, second: number): number {
  let h = Math.imul(first, 0xcc9e2d51) ^ second;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
