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

const SEED = randomInt(2 ** 32);
/** An id is a small integer of V8's: a larger number would be an object of its own, of which a long prompt has hundreds. */
const ID_BITS = 0x3fff_ffff;

/** Where a prompt is laid out to be hashed four bytes at a time. */
const laidOut = Buffer.alloc(MAX_PREFIX_BLOCKS * PREFIX_BLOCK_BYTES);
const words = new Int32Array(laidOut.buffer, laidOut.byteOffset, laidOut.length / 4);
const WORDS_PER_BLOCK = PREFIX_BLOCK_BYTES / 4;

/**
 * Of full blocks only. Four hashes like FNV-1a side by side, as one would have to wait for itself at each word, mixed into one at the end of
 * each block. Source: xxHash, of the same plan. @param pieces in order
 */
export function prefixBlocks(pieces: readonly Buffer[]): number[] {
  let bytes = 0;
  for (const piece of pieces) {
    bytes += piece.copy(laidOut, bytes);
    if (bytes === laidOut.length) break;
  }
  const blocks: number[] = [];
  const count = Math.floor(bytes / PREFIX_BLOCK_BYTES);
  let id = SEED | 0;
  for (let at = 0; blocks.length < count; ) {
    let h0 = id;
    let h1 = ~id;
    let h2 = id ^ 0x5bd1e995;
    let h3 = id ^ 0x2c1b3c6d;
    for (const end = at + WORDS_PER_BLOCK; at < end; at += 4) {
      h0 = Math.imul(((h0 << 13) | (h0 >>> 19)) ^ words[at]!, 0x01000193);
      h1 = Math.imul(((h1 << 13) | (h1 >>> 19)) ^ words[at + 1]!, 0x5bd1e995);
      h2 = Math.imul(((h2 << 13) | (h2 >>> 19)) ^ words[at + 2]!, 0x2c1b3c6d);
      h3 = Math.imul(((h3 << 13) | (h3 >>> 19)) ^ words[at + 3]!, 0x297a2d39);
    }
    id = mixed(mixed(mixed(mixed(h0) ^ h1) ^ h2) ^ h3);
    blocks.push(id & ID_BITS);
  }
  return blocks;
}

/** The last mix of MurmurHash3: every bit of the hash decides every bit of the id. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
