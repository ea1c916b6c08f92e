/** What a replica's prefix cache likely holds: the blocks of the prompts that were sent there last, as many as its KV cache has room for. */
import type { Prefix } from './types.ts';

export class PrefixIndex {
  readonly #capacityTokens: number;
  readonly #blocks = new Map<string | number, number>();
  #tokens = 0;

  constructor(capacityTokens: number) {
    this.#capacityTokens = capacityTokens;
  }

  /** Tokens of the leading blocks that are likely cached. At least the last token of a prompt is always computed. */
  hitTokens(prefix: Prefix, inputTokens: number): number {
    let hits = 0;
    for (const block of prefix.blocks) {
      if (!this.#blocks.has(block)) break;
      hits += prefix.blockTokens;
    }
    if (hits < inputTokens) return hits;
    return Math.max(0, Math.floor((inputTokens - 1) / prefix.blockTokens) * prefix.blockTokens);
  }

  /** These were just sent there: the last used are forgotten last; of one prompt the first, without which the others are of no use. */
  add(prefix: Prefix): void {
    for (let i = prefix.blocks.length - 1; i >= 0; i--) {
      const block = prefix.blocks[i]!;
      const known = this.#blocks.get(block);
      if (known !== undefined) this.#blocks.delete(block);
      // A block may be known with another length: where tokens are estimated, estimates change.
      this.#tokens += prefix.blockTokens - (known ?? 0);
      this.#blocks.set(block, prefix.blockTokens);
    }
    for (const [block, tokens] of this.#blocks) {
      if (this.#tokens <= this.#capacityTokens) break;
      this.#blocks.delete(block);
      this.#tokens -= tokens;
    }
  }
}
