import { describe, expect, it } from 'vitest';
import { burnRate, errorBudget } from './error-budget.ts';

describe('errorBudget', () => {
  it.each([
    [0.99, 1000, 0, { allowed: 10, remaining: 1 }],
    [0.99, 1000, 4, { allowed: 10, remaining: 0.6 }],
    [0.9, 50, 10, { allowed: 5, remaining: -1 }],
    [0.99, 0, 0, null],
    [1, 1000, 3, null],
  ])('of %f, %i requests and %i missed is %j', (target, requests, missed, budget) => {
    expect(errorBudget(target, requests, missed)).toEqual(budget);
  });
});

it.each([
  [0.99, 1000, 10, 1],
  [0.99, 1000, 144, 14.4],
  [0.9, 10, 0, 0],
  [0.9, 0, 0, null],
  [1, 10, 1, null],
])('of %f, %i requests and %i missed burns at %f', (target, requests, missed, rate) => {
  expect(burnRate(target, requests, missed)).toEqual(rate);
});
