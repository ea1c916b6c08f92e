/** What a replica's prefix cache likely holds: the blocks of the prompts that were sent there last, as many as its KV cache has room for. */
import { closeRing, type InRing, putNewest, takeOut } from './recency-ring.ts';
import type { Prefix } from './types.ts';

interface Block extends InRing<Block> {
  readonly id: string | number;
  tokens: number;
}

export class PrefixIndex {
  readonly #capacityTokens: number;
  readonly #blocks = new Map<string | number, Block>();
  readonly #ring = closeRing<Block>({ id: '', tokens: 0, older: null, newer: null });
  #tokens = 0;

  constructor(capacityTokens: number) {
    this.#capacityTokens = capacityTokens;
  }

  /** Tokens of the leading blocks that are likely cached. At least the last token of a prompt is always computed. */
  hitTokens(prefix: Prefix, inputTokens: number): number {
    const hits = this.#leading(prefix.blocks) * prefix.blockTokens;
    if (hits < inputTokens) return hits;
    return Math.max(0, Math.floor((inputTokens - 1) / prefix.blockTokens) * prefix.blockTokens);
  }

  /**
   * How many of the first are known. An id is of all text up to the end of its block, and what comes first is forgotten last: where a block is
   * known so are those before it, and of hundreds a few need to be looked up.
   */
  #leading(blocks: Prefix['blocks']): number {
    let known = 0;
    let step = 1;
    while (known + step <= blocks.length && this.#blocks.has(blocks[known + step - 1]!)) {
      known += step;
      step *= 2;
    }
    for (step = Math.min(step, blocks.length - known + 1); step > 1; ) {
      const half = step >> 1;
      if (this.#blocks.has(blocks[known + half - 1]!)) {
        known += half;
        step -= half;
      } else step = half;
    }
    return known;
  }

  /** These were just sent there: the last used are forgotten last; of one prompt the first, without which the others are of no use. */
  add(prefix: Prefix): void {
    for (let i = prefix.blocks.length - 1; i >= 0; i--) {
      const id = prefix.blocks[i]!;
      let block = this.#blocks.get(id);
      if (block) takeOut(block);
      else {
        block = { id, tokens: 0, older: null, newer: null };
        this.#blocks.set(id, block);
      }
      putNewest(this.#ring, block);
      // A block may be known with another length: where tokens are estimated, estimates change.
      this.#tokens += prefix.blockTokens - block.tokens;
      block.tokens = prefix.blockTokens;
    }
    while (this.#tokens > this.#capacityTokens && this.#blocks.size > 0) {
      const oldest = this.#ring.newer!;
      takeOut(oldest);
      this.#blocks.delete(oldest.id);
      this.#tokens -= oldest.tokens;
    }
  }
}
