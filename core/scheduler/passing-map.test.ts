import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { PassingMap, PassingSet } from './passing-map.ts';

test('is a map in the order in which its entries came, however many have left', () => {
  const map = new PassingMap<number, string>();
  for (let i = 0; i < 1000; i++) {
    map.set(i, `${i}`);
    if (i % 10 !== 0) expect(map.delete(i)).toBe(true);
  }
  const tens = Array.from({ length: 100 }, (_, i) => 10 * i);
  expect([...map.keys()]).toEqual(tens);
  expect([...map.values()]).toEqual(tens.map(String));
  expect(map.size).toBe(100);
  expect(map.get(990)).toBe('990');
  expect(map.has(991)).toBe(false);
  expect(map.delete(991)).toBe(false);
});

test('is a set in the same way', () => {
  const set = new PassingSet<number>();
  for (let i = 0; i < 1000; i++) set.add(i);
  for (let i = 0; i < 997; i++) expect(set.delete(i)).toBe(true);
  set.add(998);
  expect([...set]).toEqual([997, 998, 999]);
  expect(set.size).toBe(3);
  expect(set.has(0)).toBe(false);
});

test('what has left does not grow old', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
  const map = new PassingMap<{ bytes: number[] }, true>();
  const passing: { bytes: number[] }[] = [];
  let mostOldBytes = 0;
  const pass = (entries: number) => {
    for (let i = 0; i < entries; i++) {
      const key = { bytes: new Array<number>(1024).fill(i) };
      map.set(key, true);
      if (passing.push(key) > 64) map.delete(passing.shift()!);
      if (i % 200 === 0) gc({ type: 'minor' });
      mostOldBytes = Math.max(mostOldBytes, oldBytes());
    }
  };
  pass(100);
  gc(); // its table is in the old generation from here on
  const before = oldBytes();
  mostOldBytes = before;
  pass(2000);
  const passedBytes = 2000 * 1024 * 8;
  expect(mostOldBytes - before).toBeLessThan(passedBytes / 4);
});

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')!.space_used_size;
}
