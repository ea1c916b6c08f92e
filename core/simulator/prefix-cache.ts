/**
 * Which prefix blocks the KV cache holds, as vLLM's automatic prefix caching keeps them: a block is in use while a running sequence
 * refers to it, idle afterwards, and idle ones are evicted, least recently used first. A block's id stands for its content and all
 * that comes before it, so a prompt finds a leading run of its blocks or nothing. `kv-blocks.ts` says how much memory that is.
 */

import { closeRing, type InRing, putNewest, takeOut } from '../scheduler/recency-ring.ts';

/** Equal ids: equal content, and equal content before it. */
export type PrefixBlockId = string | number;

/** In the ring while nobody refers to it. */
interface CachedBlock extends InRing<CachedBlock> {
  readonly id: PrefixBlockId;
  /** Running sequences that use it. */
  references: number;
}

export interface PrefixCache {
  readonly blocks: Map<PrefixBlockId, CachedBlock>;
  /** Head of the ring of idle blocks. */
  readonly ring: CachedBlock;
  /** How many blocks nobody refers to. */
  idle: number;
}

export function createPrefixCache(): PrefixCache {
  const ring = closeRing<CachedBlock>({ id: '', references: 0, older: null, newer: null });
  return { blocks: new Map(), ring, idle: 0 };
}

/** Length of the leading run of `ids` that is cached, at most `most`; and how many of those are in use. */
export function cachedRun(cache: PrefixCache, ids: readonly PrefixBlockId[], most: number): { cached: number; inUse: number } {
  let inUse = 0;
  let cached = 0;
  for (; cached < most; cached++) {
    const block = cache.blocks.get(ids[cached] as PrefixBlockId);
    if (block === undefined) break;
    if (block.references > 0) inUse++;
  }
  return { cached, inUse };
}

/** Refers to a block, which is cached from now on; true where another reference to it exists already. */
export function refer(cache: PrefixCache, id: PrefixBlockId): boolean {
  const block = cache.blocks.get(id);
  if (block === undefined) {
    cache.blocks.set(id, { id, references: 1, older: null, newer: null });
    return false;
  }
  if (block.references === 0) leaveIdle(cache, block);
  block.references++;
  return block.references > 1;
}

/** Drops one reference to a block that has some; true where it was the last, and the block is idle now. */
export function drop(cache: PrefixCache, id: PrefixBlockId): boolean {
  const block = cache.blocks.get(id) as CachedBlock;
  block.references--;
  if (block.references > 0) return false;
  putNewest(cache.ring, block);
  cache.idle++;
  return true;
}

/** Forgets the idle block that was used least recently. There must be one. */
export function evictOldest(cache: PrefixCache): void {
  const oldest = cache.ring.newer as CachedBlock;
  leaveIdle(cache, oldest);
  cache.blocks.delete(oldest.id);
}

function leaveIdle(cache: PrefixCache, block: CachedBlock): void {
  takeOut(block);
  cache.idle--;
}
