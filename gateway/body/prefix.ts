/**
 * Ids of the leading blocks of a prompt, by which the scheduler tells which replicas have its beginning in their caches. An id is a hash of
 * all text up to the end of its block, so that equal ids mean equal beginnings. They are made with numbers drawn at the start of this
 * process, stay in its memory, and are never logged or stored: nobody can look up a text by them.
 */
import { randomInt } from 'node:crypto';

/** About 128 tokens of English. */
export const PREFIX_BLOCK_BYTES = 512;
/** What lies behind them decides nothing. */
export const MAX_PREFIX_BLOCKS = 256;

const [SEED_LOW, SEED_HIGH] = [randomInt(2 ** 32), randomInt(2 ** 32)];
const HIGH_BITS = 0x1f_ffff;

/** Where a prompt is laid out to be hashed four bytes at a time. */
const laidOut = Buffer.alloc(MAX_PREFIX_BLOCKS * PREFIX_BLOCK_BYTES);
const words = new Int32Array(laidOut.buffer, laidOut.byteOffset, laidOut.length / 4);
const WORDS_PER_BLOCK = PREFIX_BLOCK_BYTES / 4;

/** Of full blocks only. Two 32-bit hashes like FNV-1a with different primes, mixed to 53 bits at the end of each block. @param pieces in order */
export function prefixBlocks(pieces: readonly Buffer[]): number[] {
  let bytes = 0;
  for (const piece of pieces) {
    bytes += piece.copy(laidOut, bytes);
    if (bytes === laidOut.length) break;
  }
  const blocks: number[] = [];
  const count = Math.floor(bytes / PREFIX_BLOCK_BYTES);
  let low = SEED_LOW | 0;
  let high = SEED_HIGH | 0;
  for (let at = 0; blocks.length < count; ) {
    for (const end = at + WORDS_PER_BLOCK; at < end; at++) {
      const word = words[at]!;
      low = Math.imul(((low << 13) | (low >>> 19)) ^ word, 0x01000193);
      high = Math.imul(((high << 15) | (high >>> 17)) ^ word, 0x5bd1e995);
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
