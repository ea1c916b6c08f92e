import { expect, it } from 'vitest';
import { cachedRun, createPrefixCache, drop, evictOldest, refer } from './prefix-cache.ts';

it('finds the leading run, and says how much of it is in use', () => {
  const cache = createPrefixCache();
  for (const id of ['a', 'b', 'd']) refer(cache, id);
  drop(cache, 'b');
  expect(cachedRun(cache, ['a', 'b', 'c', 'd'], 4)).toEqual({ cached: 2, inUse: 1 });
  expect(cachedRun(cache, ['a', 'b', 'c', 'd'], 1)).toEqual({ cached: 1, inUse: 1 });
  expect(cachedRun(cache, ['c', 'a'], 2)).toEqual({ cached: 0, inUse: 0 });
});

it('a block is idle when the last reference to it is dropped', () => {
  const cache = createPrefixCache();
  expect([refer(cache, 1), refer(cache, 1)]).toEqual([false, true]);
  expect([drop(cache, 1), drop(cache, 1)]).toEqual([false, true]);
  expect(cache.idle).toBe(1);
  expect(refer(cache, 1)).toBe(false);
  expect(cache.idle).toBe(0);
});

it('evicts the idle block that was used least recently, and none in use', () => {
  const cache = createPrefixCache();
  for (const id of ['a', 'b', 'c', 'd']) refer(cache, id);
  for (const id of ['c', 'a', 'b']) drop(cache, id);
  refer(cache, 'c');
  drop(cache, 'c');
  const left: string[] = [];
  while (cache.idle > 0) {
    evictOldest(cache);
    left.push([...cache.blocks.keys()].join(''));
  }
  expect(left).toEqual(['bcd', 'cd', 'd']);
});
