import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixIndex } from './prefix-index.ts';

const prompt = (...blocks: (string | number)[]) => ({ blocks, blockTokens: 512 });

describe('the prefix index', () => {
  const index = new PrefixIndex(100_000);
  index.add(prompt('a', 'b', 'c'));
  it.each([
    ['nothing of a prompt that begins otherwise', prompt('x', 'b', 'c'), 2000, 0],
    ['the leading run', prompt('a', 'b', 'x'), 2000, 1024],
    ['only what is the same', prompt('a', 'x', 'y'), 2000, 512],
    ['all whole blocks', prompt('a', 'b', 'c'), 1600, 1536],
    ['never the last token: a prompt of whole blocks computes its last block', prompt('a', 'b', 'c'), 1536, 1024],
    ['never a block that the prompt only begins', prompt('a', 'b', 'c'), 1100, 1024],
    ['nothing of a prompt within one block', prompt('a'), 512, 0],
    ['nothing of an empty prompt', prompt('a'), 0, 0],
  ])('finds %s', (_, prefix, inputTokens, hit) => {
    expect(index.hitTokens(prefix, inputTokens)).toBe(hit);
  });

  it('forgets the prompts used least recently', () => {
    const small = new PrefixIndex(4 * 512);
    small.add(prompt('a1', 'a2'));
    small.add(prompt('b1', 'b2'));
    small.add(prompt('a1', 'a2'));
    small.add(prompt('c1', 'c2'));
    expect([prompt('a1', 'a2'), prompt('b1', 'b2'), prompt('c1', 'c2')].map((p) => small.hitTokens(p, 5000))).toEqual([1024, 0, 1024]);
  });
  it('forgets a prompt from its end, as engines do', () => {
    const small = new PrefixIndex(4 * 512);
    small.add(prompt('a1', 'a2', 'a3'));
    small.add(prompt('b1', 'b2'));
    expect([prompt('a1', 'a2', 'a3'), prompt('b1', 'b2')].map((p) => small.hitTokens(p, 5000))).toEqual([1024, 1024]);
  });
  it('keeps the beginning of a prompt that is larger than the cache', () => {
    const small = new PrefixIndex(2 * 512);
    small.add(prompt(1, 2, 3, 4));
    expect(small.hitTokens(prompt(1, 2, 3, 4), 5000)).toBe(1024);
  });
  it('knows nothing without a cache', () => {
    const none = new PrefixIndex(0);
    none.add(prompt('a'));
    expect(none.hitTokens(prompt('a'), 5000)).toBe(0);
  });

  it('holds no more than its capacity, and computes at least one token of every prompt', () => {
    const blocks = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        fc.array(blocks, { maxLength: 30 }),
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 300 }),
        (prompts, capacity, input) => {
          const bounded = new PrefixIndex(capacity);
          for (const prefix of prompts) {
            bounded.add({ blocks: prefix, blockTokens: 16 });
            const held = Array.from({ length: 13 }, (_, id) => bounded.hitTokens({ blocks: [id], blockTokens: 16 }, 1000));
            expect(held.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(capacity);
            const hit = bounded.hitTokens({ blocks: prefix, blockTokens: 16 }, input);
            expect(hit).toBeGreaterThanOrEqual(0);
            expect(hit).toBeLessThan(input);
            expect(hit % 16).toBe(0);
          }
        },
      ),
    );
  });
});
