import { expect, it } from 'vitest';
import { queryWith } from './address.ts';

it.each([
  ['', {}, ''],
  ['', { a: 'x y' }, '?a=x+y'],
  ['?a=1&b=2', { a: null, c: '3' }, '?b=2&c=3'],
  ['?a=1', { a: null }, ''],
])('%s with %j is %s', (search, values, query) => {
  expect(queryWith(search, values)).toBe(query);
});
