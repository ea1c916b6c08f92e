import { expect, it } from 'vitest';
import {
  type BlockHolder,
  blocksFor,
  createKvBlocks,
  fits,
  freeBlocks,
  growTo,
  idleBlocks,
  release,
  reusePrefix,
  sharePrefix,
} from './kv-blocks.ts';

const holder = (...prefix: string[]): BlockHolder => ({ blocks: 0, shared: 0, prefix });

it('allocates by whole blocks, refuses without a trace, and frees all', () => {
  const kv = createKvBlocks(100);
  const a = holder();
  const b = holder();
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

it('counts what holders share once, and keeps it until the room is needed', () => {
  const kv = createKvBlocks(160, { blockTokens: 32 });
  const a = holder('x', 'y');
  growTo(kv, a, 70);
  sharePrefix(kv, a, 63);
  expect([a.blocks, a.shared, kv.used]).toEqual([3, 1, 5]);
  sharePrefix(kv, a, 70);
  expect([a.blocks, a.shared, kv.used]).toEqual([1, 2, 5]);

  const b = holder('x', 'y');
  expect(fits(kv, b, 145)).toBe(false);
  expect(fits(kv, b, 144)).toBe(true);
  expect(reusePrefix(kv, b, 144)).toBe(64);
  expect(growTo(kv, b, 144)).toBe(true);
  expect([b.blocks, kv.used]).toEqual([5, 10]);

  release(kv, a);
  release(kv, b);
  expect([kv.used, idleBlocks(kv), freeBlocks(kv)]).toEqual([0, 4, 10]);
  const c = holder();
  growTo(kv, c, 112);
  expect([kv.used, idleBlocks(kv)]).toEqual([7, 2]);
  const d = holder('x', 'y');
  expect(reusePrefix(kv, d, 70)).toBe(32);
});

it('frees the copy of one who computed what another had shared meanwhile', () => {
  const kv = createKvBlocks(160, { blockTokens: 32 });
  const [a, b] = [holder('x'), holder('x')];
  growTo(kv, a, 40);
  growTo(kv, b, 40);
  sharePrefix(kv, a, 40);
  expect(kv.used).toBe(6);
  sharePrefix(kv, b, 40);
  expect([a, b].map((h) => [h.blocks, h.shared])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(kv.used).toBe(4);
});

it.each([0, 8, 40, Number.NaN])('refuses prefix blocks of %d tokens', (blockTokens) => {
  expect(() => createKvBlocks(1000, { blockTokens })).toThrow(/blockTokens: got .*, allowed is a multiple of 16/);
});
