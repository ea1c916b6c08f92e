import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gathered } from './gathered.ts';

describe('a body that is gathered', () => {
  it('is what came, in order, however it was cut', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 4000, max: 4200 }), fc.constant(70_000)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, (lengths) => {
        let next = 0;
        const pieces = lengths.map((length) => Buffer.from(Array.from({ length }, () => next++ & 0xff)));
        const gathered = new Gathered();
        for (const piece of pieces) gathered.add(piece);
        expect(gathered.whole().equals(Buffer.concat(pieces))).toBe(true);
        expect(gathered.bytes).toBe(next);
      }),
    );
  });

  it('of one piece is that piece', () => {
    const gathered = new Gathered();
    const piece = Buffer.from('{}');
    gathered.add(piece);
    expect(gathered.whole()).toBe(piece);
    expect(new Gathered().whole()).toHaveLength(0);
  });

  it('of single bytes takes about as much memory as it has bytes', () => {
    const before = process.memoryUsage();
    const gathered = new Gathered();
    for (let i = 0; i < 1_000_000; i++) gathered.add(Buffer.alloc(1));
    const now = process.memoryUsage();
    expect(gathered.bytes).toBe(1_000_000);
    // Pieces of their own would be 100 MB and more; garbage of this loop is in the figure as well.
    const kept = new Set([gathered.whole().buffer]);
    expect(kept.size).toBe(1);
    expect(now.arrayBuffers - before.arrayBuffers).toBeLessThan(40e6);
  });
});
