import { expect, it } from 'vitest';
import { mayLeave } from './budget.ts';

it.each([
  { serving: 3, needed: 3, min: 1, maxUnavailable: 1, free: 1, why: 'one of the needed may be away' },
  { serving: 3, needed: 3, min: 3, maxUnavailable: 1, free: 0, why: 'the minimum holds whatever the budget' },
  { serving: 3, needed: 1, min: 1, maxUnavailable: 0, free: 2, why: 'what is not needed may leave' },
  { serving: 2, needed: 3, min: 1, maxUnavailable: 1, free: 0, why: 'one is away already' },
  { serving: 1, needed: 4, min: 1, maxUnavailable: 1, free: 0, why: 'never less than none' },
  { serving: 2, needed: 0, min: 0, maxUnavailable: 0, free: 2, why: 'nothing is asked of it' },
])('$free of $serving may leave: $why', ({ free, why: _, ...count }) => {
  expect(mayLeave(count)).toBe(free);
});
