/**
 * KV cache in blocks, as paged attention keeps it: a count suffices, since blocks are alike. With prefix caching, blocks of prompts
 * that begin alike are shared and count once; those that no running sequence refers to are idle, and give way to any that need room.
 */
import { UellmError } from '../domain/errors.ts';
import { cachedRun, createPrefixCache, drop, evictOldest, type PrefixBlockId, type PrefixCache, refer } from './prefix-cache.ts';

export const BLOCK_TOKENS = 16;

export interface KvBlocks {
  total: number;
  /** By running sequences: their own, and once each the shared ones. Idle blocks are free, and lie within `total - used`. */
  used: number;
  /** null without prefix caching. */
  readonly prefixes: PrefixCache | null;
  /** Tokens that the id of a prefix block stands for, and how many blocks those fill; 0 without prefix caching. */
  readonly prefixTokens: number;
  readonly blocksPerPrefix: number;
}

/** Whoever holds blocks. */
export interface BlockHolder {
  /** Its own, behind the shared ones. */
  blocks: number;
  /** How many of the first of `prefix` it refers to. */
  shared: number;
  /** The prefix blocks that its prompt fills. */
  readonly prefix: readonly PrefixBlockId[];
}

/** @throws invalid-input where a prefix block is not made of whole blocks */
export function createKvBlocks(capacityTokens: number, prefixCaching?: { blockTokens: number }): KvBlocks {
  const total = Math.floor(capacityTokens / BLOCK_TOKENS);
  if (!prefixCaching) return { total, used: 0, prefixes: null, prefixTokens: 0, blocksPerPrefix: 0 };
  const { blockTokens } = prefixCaching;
  const blocksPerPrefix = blockTokens / BLOCK_TOKENS;
  if (!Number.isInteger(blocksPerPrefix) || blocksPerPrefix < 1) {
    const issue = { field: 'blockTokens', given: String(blockTokens), allowed: `a multiple of ${BLOCK_TOKENS}, the tokens of a KV block` };
    throw new UellmError({ kind: 'invalid-input', what: 'prefix caching', issues: [issue] });
  }
  return { total, used: 0, prefixes: createPrefixCache(), prefixTokens: blockTokens, blocksPerPrefix };
}

/** Blocks that `tokens` tokens fill, the last one perhaps in part. */
export function blocksFor(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS);
}

export function freeBlocks(kv: KvBlocks): number {
  return kv.total - kv.used;
}

/** Blocks that nobody uses and that still hold a prefix. */
export function idleBlocks(kv: KvBlocks): number {
  return kv.prefixes ? kv.prefixes.idle * kv.blocksPerPrefix : 0;
}

/** Gives `holder` room for `tokens` tokens in all; false, and nothing changed, where the blocks do not suffice. */
export function growTo(kv: KvBlocks, holder: BlockHolder, tokens: number): boolean {
  const own = tokens - holder.shared * kv.prefixTokens;
  if (own <= holder.blocks * BLOCK_TOKENS) return true;
  const missing = blocksFor(own) - holder.blocks;
  if (missing > kv.total - kv.used) return false;
  holder.blocks += missing;
  take(kv, missing);
  return true;
}

/** Uses `blocks` more blocks, which must be free. Idle ones give way. */
export function take(kv: KvBlocks, blocks: number): void {
  kv.used += blocks;
  if (kv.prefixes) while (idleBlocks(kv) > kv.total - kv.used) evictOldest(kv.prefixes);
}

export function release(kv: KvBlocks, holder: BlockHolder): void {
  kv.used -= holder.blocks;
  holder.blocks = 0;
  if (!kv.prefixes) return;
  // The last first: a block is of no use without those before it, so they are to outlive it.
  while (holder.shared > 0) {
    holder.shared--;
    if (drop(kv.prefixes, holder.prefix[holder.shared] as PrefixBlockId)) kv.used -= kv.blocksPerPrefix;
  }
}

/** Is there room for a holder of nothing with `tokens` tokens? What others use of its prefix costs it nothing. */
export function fits(kv: KvBlocks, holder: BlockHolder, tokens: number): boolean {
  const blocks = blocksFor(tokens);
  if (blocks <= freeBlocks(kv)) return true;
  if (!kv.prefixes) return false;
  const { inUse } = cachedRun(kv.prefixes, holder.prefix, reusable(kv, holder, tokens));
  return blocks - inUse * kv.blocksPerPrefix <= freeBlocks(kv);
}

/** Refers a holder of nothing, of `tokens` tokens, to what is cached of its prefix. @returns the tokens it need not compute */
export function reusePrefix(kv: KvBlocks, holder: BlockHolder, tokens: number): number {
  const { prefixes } = kv;
  if (!prefixes) return 0;
  const { cached } = cachedRun(prefixes, holder.prefix, reusable(kv, holder, tokens));
  for (; holder.shared < cached; holder.shared++) {
    if (!refer(prefixes, holder.prefix[holder.shared] as PrefixBlockId)) kv.used += kv.blocksPerPrefix;
  }
  return cached * kv.prefixTokens;
}

/** The last token is always computed: it yields the next one. */
function reusable(kv: KvBlocks, holder: BlockHolder, tokens: number): number {
  return Math.min(holder.prefix.length, Math.floor((tokens - 1) / kv.prefixTokens));
}

/**
 * Turns the holder's own blocks into shared ones where its `computedTokens` tokens fill a prefix block. Where another sequence computed
 * the same one meanwhile, its own are freed (vLLM keeps them until their sequence ends).
 */
export function sharePrefix(kv: KvBlocks, holder: BlockHolder, computedTokens: number): void {
  if (!kv.prefixes) return;
  while (holder.shared < holder.prefix.length && (holder.shared + 1) * kv.prefixTokens <= computedTokens) {
    if (refer(kv.prefixes, holder.prefix[holder.shared] as PrefixBlockId)) kv.used -= kv.blocksPerPrefix;
    holder.blocks -= kv.blocksPerPrefix;
    holder.shared++;
  }
}
