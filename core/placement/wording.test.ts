import { describe, expect, it } from 'vitest';
import { perSecondOf } from './wording.ts';

describe('a part of a rate', () => {
  it.each([
    [0, 2, '0.0 of 2.0 req/s'],
    [35.68, 40, '35.7 of 40.0 req/s'],
    [42.57, 42.58, '42.57 of 42.58 req/s'],
    [0.000613, 2, '0.00061 of 2.0 req/s'],
    [0.268, 0.269, '0.268 of 0.269 req/s'],
  ])('%d of %d is told in as many digits as tell the two apart', (part, whole, told) => {
    expect(perSecondOf(part, whole)).toBe(told);
  });
});
