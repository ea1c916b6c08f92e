import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PREFIX_BLOCK_BYTES as BLOCK, prefixBlocks as blocksOf, MAX_PREFIX_BLOCKS } from './prefix.ts';

const prefixBlocks = (texts: readonly string[]) => blocksOf(texts.map((text) => Buffer.from(text)));

const prompt = 'The quick brown fox. '.repeat(200);

describe('the ids of the leading blocks of a prompt', () => {
  it('are the same for the same beginning, and others from where it ends', () => {
    const ours = prefixBlocks([prompt]);
    const theirs = prefixBlocks([`${prompt.slice(0, 3 * BLOCK + 7)}!${prompt.slice(3 * BLOCK + 8)}`]);
    expect(ours).toHaveLength(Math.floor(prompt.length / BLOCK));
    expect(theirs.slice(0, 3)).toEqual(ours.slice(0, 3));
    for (let i = 3; i < ours.length; i++) expect(theirs[i]).not.toBe(ours[i]);
  });

  it('are of full blocks only, and of so many at most', () => {
    expect(prefixBlocks([])).toEqual([]);
    expect(prefixBlocks(['x'.repeat(BLOCK - 1)])).toEqual([]);
    expect(prefixBlocks(['x'.repeat(BLOCK)])).toHaveLength(1);
    expect(prefixBlocks(['x'.repeat((MAX_PREFIX_BLOCKS + 5) * BLOCK)])).toHaveLength(MAX_PREFIX_BLOCKS);
  });

  it('say a block and all before it: equal blocks in other places have other ids', () => {
    const ids = prefixBlocks(['x'.repeat(100 * BLOCK)]);
    expect(new Set(ids).size).toBe(100);
    expect(ids.every((id) => Number.isSafeInteger(id) && id >= 0)).toBe(true);
  });

  it('do not depend on the pieces in which the text comes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 1500, unit: 'grapheme' }), { maxLength: 8 }), (texts) => {
        expect(prefixBlocks(texts)).toEqual(prefixBlocks([texts.join('')]));
      }),
    );
  });
});
