/** KV cache in blocks, as paged attention keeps it: a count suffices, since blocks are alike and none is shared. */

export const BLOCK_TOKENS = 16;

export interface KvBlocks {
  readonly total: number;
  used: number;
}

/** Whoever holds blocks. */
export interface BlockHolder {
  blocks: number;
}

export function createKvBlocks(capacityTokens: number): KvBlocks {
  return { total: Math.floor(capacityTokens / BLOCK_TOKENS), used: 0 };
}

/** Blocks that `tokens` tokens fill, the last one perhaps in part. */
export function blocksFor(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS);
}

export function freeBlocks(kv: KvBlocks): number {
  return kv.total - kv.used;
}

/** Gives `holder` room for `tokens` tokens in all; false, and nothing changed, where the blocks do not suffice. */
export function growTo(kv: KvBlocks, holder: BlockHolder, tokens: number): boolean {
  if (tokens <= holder.blocks * BLOCK_TOKENS) return true;
  const missing = blocksFor(tokens) - holder.blocks;
  if (missing > kv.total - kv.used) return false;
  kv.used += missing;
  holder.blocks += missing;
  return true;
}

export function release(kv: KvBlocks, holder: BlockHolder): void {
  kv.used -= holder.blocks;
  holder.blocks = 0;
}
