import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fairShares, roomBeside, shareUnheard } from './shares.ts';

const seen = (all: number, own: number) => ({ all, ownAtLeast: own, ownAtMost: own });
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

describe('fair shares', () => {
  it('are all of it for a gateway alone', () => {
    expect(fairShares(256, [0])).toEqual([256]);
    expect(fairShares(256, [1000])).toEqual([256]);
  });

  it('are equal where all want more than there is, or nothing', () => {
    expect(fairShares(64, [100, 70, 300, 65])).toEqual([16, 16, 16, 16]);
    expect(fairShares(64, [0, 0, 0, 0])).toEqual([16, 16, 16, 16]);
  });

  it('give those who want less what they want, and a little to those who want nothing', () => {
    expect(fairShares(64, [0, 200, 10, 200])).toEqual([2, 26, 10, 26]);
  });

  it('add up to the limit, leave nobody without, and give nobody less than its equal share who wants it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.integer({ min: 0, max: 600 }), { minLength: 1, maxLength: 9 }),
        (limit, demands) => {
          const shares = fairShares(limit, demands);
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
          if (limit >= demands.length) expect(sum(shares)).toBe(limit);
          else expect(sum(shares)).toBe(demands.length);
          const equal = Math.floor(limit / demands.length);
          for (const [i, demand] of demands.entries()) expect(shares[i]).toBeGreaterThanOrEqual(Math.min(equal, demand));
        },
      ),
    );
  });
});

describe('beside others', () => {
  it('a share holds while they keep to theirs', () => {
    expect(roomBeside(64, 32, 2, seen(64, 32))).toBe(32);
    // The engine has not seen yet what was just sent.
    expect(roomBeside(64, 32, 2, seen(3, 9))).toBe(39);
  });

  it('what they leave free is borrowed by those who want it, and given back when nothing is free any more', () => {
    expect(roomBeside(64, 32, 2, seen(40, 32))).toBe(44);
    expect(roomBeside(64, 32, 1, seen(40, 32))).toBe(56);
    expect(roomBeside(64, 32, 1, seen(64, 56))).toBe(32);
    expect(roomBeside(64, 32, 0, seen(0, 0))).toBe(32);
  });

  it('what they have borrowed is waited for', () => {
    expect(roomBeside(64, 32, 2, seen(60, 0))).toBe(4);
    expect(roomBeside(64, 32, 2, seen(90, 0))).toBe(1);
  });

  it("no more is made of the engine's word than is sure: what was sent meanwhile it may have counted or not", () => {
    expect(roomBeside(64, 10, 2, { all: 40, ownAtLeast: 10, ownAtMost: 20 })).toBe(22);
    expect(roomBeside(64, 64, 2, { all: 40, ownAtLeast: 10, ownAtMost: 20 })).toBe(44);
  });

  it('one that has borrowed everything gives way to one that comes, whose share is free within moments', () => {
    const limit = 16;
    const open = [16, 0];
    const shares = fairShares(limit, [40, 3]);
    for (let look = 0; look < 20; look++) {
      const all = sum(open);
      const may = open.map((own, i) => roomBeside(limit, shares[i]!, 1 - i, seen(all, own)));
      open[0] = Math.max(0, open[0]! - 2); // what ends until the next look
      for (const i of [0, 1]) open[i] = Math.min(i === 0 ? 40 : 3, Math.max(open[i]!, may[i]!));
      expect(sum(open)).toBeLessThanOrEqual(limit + 2);
    }
    expect(open[1]).toBe(3);
  });

  it('that are not heard of, any number of gateways fill a replica and none is left out', () => {
    for (const gateways of [1, 2, 4]) {
      const wanted = Array.from({ length: gateways }, (_, i) => (i === 0 ? 500 : 0));
      const open = wanted.map(() => 0);
      const step = () => {
        const all = sum(open);
        for (const [i, own] of [...open].entries()) open[i] = Math.min(wanted[i]!, shareUnheard(256, gateways, seen(all, own)));
      };
      for (let i = 0; i < 40; i++) step();
      expect(sum(open)).toBeGreaterThan(256 - gateways);
      expect(sum(open)).toBeLessThanOrEqual(256);
      wanted.fill(500);
      for (let i = 0; i < 60; i++) step();
      expect(Math.min(...open)).toBeGreaterThanOrEqual(Math.floor(256 / gateways));
      expect(sum(open)).toBeLessThanOrEqual(256);
    }
  });
});
