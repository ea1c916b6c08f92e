import { describe, expect, it } from 'vitest';
import { multiplied } from '../domain/step-time.ts';
import { agreement, profileWith } from './shape-agreement.ts';

const C = { d0: 6, d1: 0.01, d2: 4e-5, ra: 0.015, rc: 0.006, rb: 4e-7, o: 1 };
const slow = multiplied(C, 2);

describe('the profile of a shape of which another replica was calibrated', () => {
  it('is that of the only one', () => {
    expect(profileWith(slow, [], null)).toBe(slow);
    expect(profileWith(slow, [], C)).toBe(slow);
  });

  it('stays where one of several is slow, or one of two', () => {
    expect(profileWith(slow, [C, multiplied(C, 1.03)], C)).toEqual(C);
    expect(profileWith(slow, [C], C)).toBe(C);
  });

  it('stays where the new one says the same', () => {
    expect(profileWith(multiplied(C, 1.05), [C], C)).toBe(C);
  });

  it('follows what most say: the first of them may have been the slow one', () => {
    expect(profileWith(C, [slow, multiplied(C, 1.04)], slow)).toMatchObject({
      d0: expect.closeTo(6.24, 6),
      rc: expect.closeTo(0.00624, 9),
    });
  });
});

describe('agreement', () => {
  it('is of two thirds at least, coefficient by coefficient', () => {
    expect(agreement([])).toBeNull();
    expect(agreement([C])).toEqual({ coefficients: C, replicas: 1, measured: 1 });
    expect(agreement([C, slow])).toBeNull();
    expect(agreement([C, C, slow])).toEqual({ coefficients: C, replicas: 2, measured: 3 });
    expect(agreement([C, slow, multiplied(C, 4)])).toBeNull();
    // The same decode steps at one load, and not at others.
    const slowKv = { ...C, d2: 3 * C.d2 };
    expect(agreement([slowKv, slowKv, C])!.coefficients).toEqual(slowKv);
  });
});
