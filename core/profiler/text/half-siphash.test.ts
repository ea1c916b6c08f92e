import { describe, expect, it } from 'vitest';
import { halfSipHash, hashPair } from './half-siphash.ts';

/** Bytes 0, 1, 2, ... as code units. */
const counting = (units: number) => Uint16Array.from({ length: units }, (_, i) => 2 * i + ((2 * i + 1) << 8));
const KEY = { k0: 0x03020100, k1: 0x07060504 };

describe('halfSipHash', () => {
  // Of 0, 2 and 4 bytes: the kernel's test vectors of the same function (lib/test_siphash.c, hsiphash on 32 bits).
  it.each([
    [0, 0x5814c896],
    [1, 0xbc4b0e30],
    [2, 0x7e059ea6],
  ])('hashes %i units as published', (units, hash) => {
    expect(halfSipHash(counting(units), 0, units, KEY)).toBe(hash);
  });

  it('depends on the key, and on nothing outside the range', () => {
    const units = counting(9);
    const inside = halfSipHash(units, 2, 7, KEY);
    expect(halfSipHash(units.slice(2, 7), 0, 5, KEY)).toBe(inside);
    expect(halfSipHash(units, 2, 7, { ...KEY, k1: 1 })).not.toBe(inside);
  });
});

describe('hashPair', () => {
  it('tells the order', () => {
    expect(hashPair(1, 2)).not.toBe(hashPair(2, 1));
  });
});
