import { expect, it } from 'vitest';
import { blocksFor, createKvBlocks, freeBlocks, growTo, release } from './kv-blocks.ts';

it('allocates by whole blocks, refuses without a trace, and frees all', () => {
  const kv = createKvBlocks(100);
  const a = { blocks: 0 };
  const b = { blocks: 0 };
  expect(kv.total).toBe(6);
  expect(growTo(kv, a, 17)).toBe(true);
  expect(a.blocks).toBe(2);
  expect(growTo(kv, a, 32)).toBe(true);
  expect(kv.used).toBe(2);
  expect(growTo(kv, b, 65)).toBe(false);
  expect(b.blocks).toBe(0);
  expect(growTo(kv, b, 64)).toBe(true);
  expect(freeBlocks(kv)).toBe(0);
  release(kv, a);
  release(kv, b);
  expect([kv.used, a.blocks, b.blocks]).toEqual([0, 0, 0]);
});

it('a begun block is a block', () => {
  expect([0, 1, 16, 17].map(blocksFor)).toEqual([0, 1, 1, 2]);
});
