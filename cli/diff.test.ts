import { describe, expect, it } from 'vitest';
import { diffLines } from './diff.ts';

describe('diffLines', () => {
  it.each([
    [{ a: 1 }, { a: 1 }, []],
    [{ a: { b: 1, c: 'x' } }, { a: { b: 2, c: 'x' } }, ['~ a.b: 1 -> 2']],
    [{}, { a: { b: 1 } }, ['+ a.b: 1']],
    [{ a: [1, 2] }, { a: [1] }, ['- a[1]: 2']],
    [{ a: [] }, { a: [{ b: null }] }, ['- a: []', '+ a[0].b: null']],
    [{ b: 1, a: 2 }, { a: 2, b: 1 }, []],
  ])('of %j and %j', (before, after, lines) => expect(diffLines(before, after)).toEqual(lines));
});
