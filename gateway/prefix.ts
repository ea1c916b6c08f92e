/**
 * Ids of the leading blocks of a prompt, by which the scheduler tells which replicas have its beginning in their caches. An id is a hash of
 * all text up to the end of its block, so that equal ids mean equal beginnings. They are made with numbers drawn at the start of this
 * process, stay in its memory, and are never logged or stored: nobody can look up a text by them.
 */
import { randomInt } from 'node:crypto';

/** About 128 tokens. */
export const PREFIX_BLOCK_CHARACTERS = 512;
/** What lies behind them decides nothing. */
export const MAX_PREFIX_BLOCKS = 256;

const [SEED_LOW, SEED_HIGH] = [randomInt(2 ** 32), randomInt(2 ** 32)];
const HIGH_BITS = 0x1f_ffff;

/** Where a prompt is laid out to be hashed two UTF-16 units at a time, which takes half as long as asking a string for each. */
const units = Buffer.alloc(MAX_PREFIX_BLOCKS * PREFIX_BLOCK_CHARACTERS * 2);
const pairs = new Int32Array(units.buffer, units.byteOffset, units.length / 4);
const PAIRS_PER_BLOCK = PREFIX_BLOCK_CHARACTERS / 2;

/** Of full blocks only. Two 32-bit hashes like FNV-1a with different primes, mixed to 53 bits at the end of each block. @param texts in order */
export function prefixBlocks(texts: readonly string[]): number[] {
  let bytes = 0;
  for (const text of texts) {
    bytes += units.write(text, bytes, 'utf16le');
    if (bytes === units.length) break;
  }
  const blocks: number[] = [];
  const count = Math.floor(bytes / 4 / PAIRS_PER_BLOCK);
  let low = SEED_LOW | 0;
  let high = SEED_HIGH | 0;
  for (let at = 0; blocks.length < count; ) {
    for (const end = at + PAIRS_PER_BLOCK; at < end; at++) {
      const pair = pairs[at]!;
      low = Math.imul(((low << 13) | (low >>> 19)) ^ pair, 0x01000193);
      high = Math.imul(((high << 15) | (high >>> 17)) ^ pair, 0x5bd1e995);
    }
    blocks.push((mixed(high) & HIGH_BITS) * 2 ** 32 + mixed(low));
  }
  return blocks;
}

/** The last mix of MurmurHash3, as an unsigned number: every bit of the hash decides every bit of the id. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
